/** What is done to the data root before its power is cut. */

/** A command. */
export interface Step {
  readonly name: string;
  readonly words: readonly string[];
}

/** What a container writes and has on its disk when it ends. Put together there, so that no record of its command holds it. */
export const WRITTEN = { layer: 'written-into-the-layer', volume: 'written-into-the-volume' } as const;

const WRITES = [
  'w=written',
  'echo $w-into-the-layer >/added',
  'echo $w-into-the-volume >/kept/file',
  'rm /bin/dd',
  'busybox sync',
].join('; ');

/** The steps, with the archives `small.tar`, `first.tar` and `second.tar` in a folder. */
export function steps(archives: string): readonly Step[] {
  const plain = ['--network', 'none'];
  return [
    { name: 'import', words: ['import', `${archives}/small.tar`, 'small'] },
    { name: 'load', words: ['load', '-i', `${archives}/first.tar`] },
    { name: 'load that shares a layer', words: ['load', '-i', `${archives}/second.tar`] },
    { name: 'tag', words: ['tag', 'first:1', 'third:1'] },
    {
      name: 'create with a volume',
      words: ['create', '--name', 'made', '-v', '/anonymous', ...plain, 'small', 'true'],
    },
    {
      name: 'run',
      words: ['run', '--name', 'ran', '-v', '/kept', ...plain, 'small', 'sh', '-c', WRITES],
    },
    { name: 'commit', words: ['commit', 'ran', 'committed:1'] },
    { name: 'run --rm', words: ['run', '--rm', ...plain, 'small', 'sh', '-c', 'echo gone >/added'] },
    { name: 'rm -v', words: ['rm', '-v', 'made'] },
    { name: 'rmi', words: ['rmi', 'second:1'] },
    { name: 'load after rmi', words: ['load', '-i', `${archives}/second.tar`] },
    { name: 'rm', words: ['rm', 'ran'] },
    { name: 'rmi of a commit', words: ['rmi', 'committed:1'] },
    { name: 'run --rm again', words: ['run', '--rm', ...plain, 'small', 'true'] },
    { name: 'rmi of one of two names', words: ['rmi', 'first:1'] },
    { name: 'rmi of the other', words: ['rmi', 'third:1'] },
  ];
}
