/** A kernel's modules as a disk: mounted at /lib/modules in the machine. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { LabContext } from './context.ts';
import { runProgram } from './run-program.ts';

/** Not compressed: what is unpacked on every load costs a machine in software emulation more than this disk's 100 MB. */
export const PLAIN_SQUASHFS: readonly string[] = [
  ...['-noI', '-noD', '-noF', '-noX', '-no-duplicates', '-all-root', '-no-progress', '-quiet'],
];

/** Programs that unpack a module, by the ending of its file. */
const UNPACKERS = [
  { ending: 'xz', program: 'xz', args: ['-d', '-f'] },
  { ending: 'zst', program: 'zstd', args: ['-d', '-q', '-f', '--rm'] },
  { ending: 'gz', program: 'gzip', args: ['-d', '-f'] },
];

/** Files given to one program at a time. */
const BATCH = 500;

/** Files in as many as one program takes at a time. */
export function* batches(files: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < files.length; start += BATCH) yield files.slice(start, start + BATCH);
}

/** Unpacks `lib/modules/RELEASE` below `folder` where it is compressed, lets depmod over it and makes `modules.squashfs` of it. */
export async function makeModulesDisk(folder: string, release: string, context: LabContext): Promise<void> {
  const modules = join(folder, 'lib/modules', release);
  const purpose = `cannot prepare the modules of the kernel ${release}`;
  for (const { ending, program, args } of UNPACKERS) {
    const files = globSync(`**/*.ko.${ending}`, { cwd: modules });
    for (const batch of batches(files))
      await runProgram(program, [...args, '--', ...batch], { purpose, cwd: modules, signal: context.signal });
  }
  await runProgram('depmod', ['-b', folder, release], { purpose, signal: context.signal });
  const image = join(folder, 'modules.squashfs');
  await runProgram('mksquashfs', [modules, image, '-keep-as-directory', ...PLAIN_SQUASHFS], {
    purpose,
    signal: context.signal,
  });
}
