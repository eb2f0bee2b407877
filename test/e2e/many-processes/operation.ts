/** What the processes do, as data: the same for a command and for a process that keeps the engine open. */

/** One operation. Names of images are references or ids; containers go by name. */
export type Operation =
  | { readonly kind: 'load'; readonly archive: string }
  | { readonly kind: 'import'; readonly file: string; readonly tag?: string }
  | { readonly kind: 'tag'; readonly source: string; readonly target: string }
  | { readonly kind: 'rmi'; readonly name: string; readonly force: boolean }
  | {
      readonly kind: 'run';
      readonly image: string;
      readonly name: string;
      readonly how: 'rm' | 'keep' | 'detach';
    }
  | { readonly kind: 'rm'; readonly name: string; readonly force: boolean }
  | { readonly kind: 'commit'; readonly container: string; readonly tag?: string }
  | { readonly kind: 'save'; readonly image: string; readonly file: string }
  | { readonly kind: 'look'; readonly at: 'ps' | 'images' | 'inspect'; readonly name: string }
  | { readonly kind: 'prune-images'; readonly all: boolean }
  | { readonly kind: 'prune-containers' }
  | { readonly kind: 'prune-system'; readonly all: boolean }
  | { readonly kind: 'start' | 'stop' | 'kill'; readonly name: string };

/** What an operation that succeeded says it did. */
export interface Said {
  /** The image that it made (`sha256:…`). */
  readonly made?: string;
  /** Names that it took from images, and ids of images and layers that it deleted. */
  readonly untagged: readonly string[];
  readonly deleted: readonly string[];
}

/** How an operation ended. `killed`: its process was killed, and nobody knows how far it had come. */
export type Ending =
  | { readonly how: 'done'; readonly said: Said }
  | { readonly how: 'failed'; readonly message: string }
  | { readonly how: 'killed' };

/** An operation that was carried out, with when it began and ended, on one clock. */
export interface Carried {
  readonly operation: Operation;
  readonly from: number;
  readonly to: number;
  readonly ending: Ending;
}

/** What runs in containers: reads a file of every layer, and ends with a code of its own. */
export const SCRIPT = 'cat /mark/* >/tmp/read && echo more >>/tmp/read && exit 7';
/** The exit code of `SCRIPT` where it found its files. */
export const SCRIPT_CODE = 7;

/** What a container does that stays: longer than any storm. */
export const SLEEP = ['sleep', '100000'];
/** How long `stop` waits before it kills. Seconds. */
export const STOP_TIMEOUT = 1;

/** The command line of an operation. */
export function wordsOf(operation: Operation): string[] {
  switch (operation.kind) {
    case 'load':
      return ['load', '-q', '-i', operation.archive];
    case 'import':
      return ['import', operation.file, ...(operation.tag === undefined ? [] : [operation.tag])];
    case 'tag':
      return ['tag', operation.source, operation.target];
    case 'rmi':
      return ['rmi', ...(operation.force ? ['-f'] : []), operation.name];
    case 'run': {
      const flags = operation.how === 'rm' ? ['--rm'] : operation.how === 'detach' ? ['-d'] : [];
      const command = operation.how === 'detach' ? SLEEP : ['sh', '-c', SCRIPT];
      return ['run', ...flags, '--network', 'none', '--name', operation.name, operation.image, ...command];
    }
    case 'rm':
      return ['rm', ...(operation.force ? ['-f'] : []), operation.name];
    case 'commit':
      return ['commit', operation.container, ...(operation.tag === undefined ? [] : [operation.tag])];
    case 'save':
      return ['save', '-o', operation.file, operation.image];
    case 'look':
      if (operation.at === 'inspect') return ['inspect', operation.name];
      return [operation.at, '-a', '--no-trunc'];
    case 'prune-images':
      return ['image', 'prune', '-f', ...(operation.all ? ['-a'] : [])];
    case 'prune-containers':
      return ['container', 'prune', '-f'];
    case 'prune-system':
      return ['system', 'prune', '-f', ...(operation.all ? ['-a'] : [])];
    case 'stop':
      return ['stop', '-t', String(STOP_TIMEOUT), operation.name];
    case 'start':
    case 'kill':
      return [operation.kind, operation.name];
  }
}

/** What a command's output says. */
export function saidBy(operation: Operation, stdout: string): Said {
  const lines = stdout.split('\n');
  const after = (prefix: RegExp): string[] =>
    lines.filter((line) => prefix.test(line)).map((line) => line.replace(prefix, ''));
  const makes = operation.kind === 'import' || operation.kind === 'commit';
  const made = makes ? /sha256:[0-9a-f]{64}/.exec(stdout)?.[0] : undefined;
  return {
    ...(made === undefined ? {} : { made }),
    untagged: after(/^untagged: /i),
    deleted: after(/^deleted: /i),
  };
}

/**
 * What an operation may fail with when others are at work: the thing it names has gone, is in use, or has the name already.
 * Anything else is a fault of ours.
 */
const EXPECTED: Readonly<Record<Operation['kind'], readonly RegExp[]>> = {
  load: [],
  import: [],
  tag: [/No such image/],
  rmi: [/No such image/, /conflict: unable to (?:delete|remove)/],
  run: [/Unable to find image|No such image/, /No such container/, /is already in use by container/],
  rm: [/No such container/, /You cannot remove a running container/],
  commit: [/No such container/],
  save: [/No such image/, /reference does not exist/],
  look: [/No such (?:object|image|container)/],
  'prune-images': [],
  'prune-containers': [],
  'prune-system': [],
  start: [/No such container/, /is marked for removal and cannot be started/],
  stop: [/No such container/],
  kill: [/No such container/, /is not running/],
};

/** Whether it is no fault that the operation failed so. */
export function isExpected({ kind }: Operation, message: string): boolean {
  return EXPECTED[kind].some((pattern) => pattern.test(message));
}
