/**
 * What V8 has compiled of the program, kept from run to run. Node's own compile cache keeps what is compiled while a file
 * loads; the functions that a command calls after that are compiled anew at each run, which is a quarter of what `ps` takes.
 *
 * The files lie in the folder of Node's cache, which is named after Node's version, V8's flags and the user, and which
 * bin/tsengine chooses: what is in it is executed. There is one for each command, with the functions of every kind of call
 * that went well so far; a new kind of call (its flags, without values) takes a run some 20 ms longer, once.
 */
import type { Script } from 'node:vm';

// Small and before everything else: Node's modules are taken where they are used.
const builtin = process.getBuiltinModule;

/*
 * A file is a header and then what V8 gave, twice: V8 does not look whether what it is given is damaged and dies of it, and
 * that two copies are the same is known in a tenth of a millisecond, where a checksum takes longer to load than a command may.
 */

/** What a file begins with: the number of kinds of calls, and their hashes. Bytes, a multiple of what V8 wants its data aligned to. */
const HEADER = 256;
const MOST_KINDS = HEADER / 4 - 1;
/** Files in the folder. Whoever reaches it calls no commands of ours. */
const MOST_FILES = 100;
/** A run that took longer, in milliseconds, has lost functions again: V8 forgets those that are not called any more. */
const LONGEST = 10_000;
/** After that, in milliseconds, nobody writes a file's successor any more. */
const STALE = 60_000;

/** A program that has been loaded. */
export interface Loaded<Exports> {
  readonly exports: Exports;
  /** Keeps what has been compiled, where a call of this kind is new. To be called at the end of a call that went well. Never throws. */
  keep(): void;
}

/**
 * Loads `file`, a CommonJS file of ASCII text of the bundle, whose content `id` names. `args` is the command line. Without a
 * folder for the cache, or without sound content of it, the program loads as it would have.
 */
export function loadCompiled<Exports>(
  file: string,
  id: string,
  args: readonly string[],
  require: NodeJS.Require,
): Loaded<Exports> {
  const folder = builtin('node:module').getCompileCacheDir();
  if (folder === undefined || !isOurs(folder)) return { exports: require(file), keep: () => undefined };
  const fs = builtin('node:fs');
  const vm = builtin('node:vm');
  const path = `${folder}/${id}-${args.find((word) => /^[a-z][a-z-]{1,30}$/.test(word)) ?? ''}`;
  const kept = read(path);
  const text = `(function(exports,require,module,__filename,__dirname){${fs.readFileSync(file, 'latin1')}\n})`;
  const cachedData = kept?.subarray(HEADER, HEADER + (kept.length - HEADER) / 2);
  const script = new vm.Script(text, { filename: file, ...(cachedData && { cachedData }) });
  const module: { exports: Exports } = { exports: Object.create(null) };
  script.runInThisContext()(module.exports, require, module, file, file.slice(0, file.lastIndexOf('/')));
  const known = kept === undefined || script.cachedDataRejected === true ? [] : kindsOf(kept);
  return { exports: module.exports, keep: () => keep(script, path, known, kindOf(args)) };
}

/** Whether nobody else can put files there. Node makes its folder with the umask that it finds. */
function isOurs(folder: string): boolean {
  // A build that goes on may have taken it away.
  const found = builtin('node:fs').lstatSync(folder, { throwIfNoEntry: false });
  return found !== undefined && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
}

/** The file, if both copies in it are the same. */
function read(path: string): Buffer | undefined {
  try {
    const data = builtin('node:fs').readFileSync(path);
    const middle = HEADER + (data.length - HEADER) / 2;
    return middle > HEADER && data.subarray(HEADER, middle).equals(data.subarray(middle)) ? data : undefined;
  } catch {
    return undefined;
  }
}

function kindsOf(data: Buffer): readonly number[] {
  const count = Math.min(data.readUInt32LE(0), MOST_KINDS);
  return Array.from({ length: count }, (_, at) => data.readUInt32LE(4 * (at + 1)));
}

/** A hash of the flags (FNV-1a). That two kinds share one costs time and nothing else. */
function kindOf(args: readonly string[]): number {
  const flags = args.filter((word) => word.startsWith('-')).map((word) => word.split('=', 1)[0]);
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(flags.sort().join(' '))) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function keep(script: Script, path: string, known: readonly number[], kind: number): void {
  if (known.includes(kind) || known.length === MOST_KINDS || performance.now() > LONGEST) return;
  try {
    const header = Buffer.alloc(HEADER);
    for (const [at, word] of [known.length + 1, ...known, kind].entries()) header.writeUInt32LE(word, 4 * at);
    const data = script.createCachedData();
    replace(path, Buffer.concat([header, data, data]));
  } catch {
    // No room, or no rights any more: the next run compiles again.
  }
}

/** Whole or not at all, after a power cut as well. */
function replace(path: string, data: Buffer): void {
  const fs = builtin('node:fs');
  const folder = path.slice(0, path.lastIndexOf('/'));
  const names = fs.readdirSync(folder);
  const mark = '.new-';
  for (const name of names.filter((name) => name.includes(mark))) {
    const left = `${folder}/${name}`;
    const { mtimeMs } = fs.statSync(left, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > STALE) fs.rmSync(left, { force: true });
  }
  // Node's own, of each source that has run, have names without a dash.
  if (names.filter((name) => name.includes('-')).length >= MOST_FILES) return;
  const fresh = `${path}${mark}${process.pid}`;
  try {
    const file = fs.openSync(fresh, 'w', 0o600);
    try {
      fs.writeFileSync(file, data);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.renameSync(fresh, path);
  } finally {
    fs.rmSync(fresh, { force: true });
  }
}
