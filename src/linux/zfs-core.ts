/**
 * ZFS datasets through libzfs_core, the library with a stable interface on which the `zfs` command stands: a call is one
 * ioctl(2) on /dev/zfs, where the command takes 10 ms or more to start. Names and errors: `libzfs_core.h` and the comments of
 * `libzfs_core.c`, OpenZFS 2.0 to 2.4 (`libzfs_core.so.3`).
 *
 * What changes something returns when it is on disk: the kernel does it in a transaction group and waits for that.
 */
import type * as Koffi from 'koffi';
import { SyscallError } from './errno.ts';
import { enter } from './fault.ts';
import { loadKoffi } from './libc.ts';
import { cString } from './path.ts';

/** Values of properties as the kernel takes them: texts, and numbers for sizes, switches and words of a list. */
export type ZfsProperties = Readonly<Record<string, string | bigint>>;

type Argument = bigint | Buffer | number | null;
type Native = ReturnType<Koffi.LibraryHandle['func']>;

/** The C type of a pointer that C gave us; one to bytes of ours is a `void *`. */
const POINTER = 'uintptr_t';

/** `DMU_OST_ZFS`: a file system. */
const FILE_SYSTEM = 2;
/** `NV_UNIQUE_NAME`: an nvlist in which a name is once. */
const UNIQUE_NAME = 1;

interface Libraries {
  readonly core: Koffi.LibraryHandle;
  readonly pairs: Koffi.LibraryHandle;
}

let libraries: Libraries | undefined;
const bound = new Map<string, Native>();

function load(): Libraries {
  if (libraries !== undefined) return libraries;
  const koffi = loadKoffi();
  libraries = { core: koffi.load('libzfs_core.so.3'), pairs: koffi.load('libnvpair.so.3') };
  const init: Native = libraries.core.func('libzfs_core_init', 'int', []);
  const error = Number(init());
  if (error !== 0) {
    libraries = undefined;
    throw new SyscallError('open', error, { path: '/dev/zfs' });
  }
  return libraries;
}

/** Whether the library can be loaded and reaches the kernel's module. Tried once; costs a millisecond. */
export function hasZfsCore(): boolean {
  try {
    load();
    return true;
  } catch {
    return false;
  }
}

function bind(library: keyof Libraries, symbol: string, parameters: readonly string[]): Native {
  const known = bound.get(symbol);
  if (known !== undefined) return known;
  const native: Native = load()[library].func(symbol, 'int', [...parameters]);
  bound.set(symbol, native);
  return native;
}

function pair(symbol: string, parameters: readonly string[], ...args: Argument[]): void {
  const error = Number(bind('pairs', symbol, parameters)(...args));
  if (error !== 0) throw new SyscallError(symbol, error);
}

/** An nvlist, freed when disposed of. A value of `undefined` is a name alone. */
class PairList implements Disposable {
  readonly pointer: bigint;

  constructor(values: Readonly<Record<string, string | bigint | undefined>>) {
    const made = Buffer.alloc(8);
    pair('nvlist_alloc', ['void *', 'uint', 'int'], made, UNIQUE_NAME, 0);
    this.pointer = made.readBigUInt64LE();
    for (const [name, value] of Object.entries(values)) this.#add(cString(name), value);
  }

  #add(name: Buffer, value: string | bigint | undefined): void {
    const { pointer } = this;
    if (value === undefined) pair('nvlist_add_boolean', [POINTER, 'void *'], pointer, name);
    else if (typeof value === 'bigint')
      pair('nvlist_add_uint64', [POINTER, 'void *', 'uint64_t'], pointer, name, value);
    else pair('nvlist_add_string', [POINTER, 'void *', 'void *'], pointer, name, cString(value));
  }

  [Symbol.dispose](): void {
    freeList(this.pointer);
  }
}

function freeList(pointer: bigint): void {
  bind('pairs', 'nvlist_free', [POINTER])(pointer);
}

/** Calls on a thread of the pool: a transaction group takes its time. */
async function call(
  symbol: string,
  parameters: readonly string[],
  subject: { readonly path: string; readonly dest?: string },
  ...args: Argument[]
): Promise<void> {
  enter(symbol, subject);
  const native = bind('core', symbol, parameters);
  const error = await new Promise<number>((resolve, reject) => {
    native.async(...args, (failure: unknown, value: number) => {
      if (failure !== null && failure !== undefined) reject(failure);
      else resolve(value);
    });
  });
  if (error !== 0) throw new SyscallError(symbol, error, subject);
}

/** Whether there is a dataset or snapshot of this name. */
export function zfsExists(name: string): boolean {
  enter('lzc_exists', { path: name });
  return Number(bind('core', 'lzc_exists', ['void *'])(cString(name))) !== 0;
}

/** Makes an empty file system. `EEXIST`, `ENOENT` without the dataset above it, `ENOSPC`, `EROFS`. */
export async function zfsCreate(name: string, properties: ZfsProperties): Promise<void> {
  using list = new PairList(properties);
  const parameters = ['void *', 'int', POINTER, 'void *', 'uint'];
  await call('lzc_create', parameters, { path: name }, cString(name), FILE_SYSTEM, list.pointer, null, 0);
}

/** Makes a file system out of a snapshot. Errors as `zfsCreate`'s. */
export async function zfsClone(name: string, snapshot: string, properties: ZfsProperties): Promise<void> {
  using list = new PairList(properties);
  const subject = { path: snapshot, dest: name };
  await call(
    'lzc_clone',
    ['void *', 'void *', POINTER],
    subject,
    cString(name),
    cString(snapshot),
    list.pointer,
  );
}

/** Makes snapshots, `DATASET@NAME`, of one pool, all of one moment. `EEXIST`, `ENOENT`, `ENOSPC`, `EROFS`. */
export async function zfsSnapshot(...names: readonly string[]): Promise<void> {
  using list = new PairList(Object.fromEntries(names.map((name) => [name, undefined])));
  const failed = Buffer.alloc(8);
  const subject = { path: names.join(' ') };
  try {
    await call('lzc_snapshot', [POINTER, 'void *', 'void *'], subject, list.pointer, null, failed);
  } finally {
    freeResult(failed);
  }
}

/** Destroys snapshots of one pool when no clone of them is left, perhaps at once. One that is not there is no error. */
export async function zfsDestroySnapshot(...names: readonly string[]): Promise<void> {
  using list = new PairList(Object.fromEntries(names.map((name) => [name, undefined])));
  const failed = Buffer.alloc(8);
  const DEFERRED = 1;
  try {
    await call(
      'lzc_destroy_snaps',
      [POINTER, 'int', 'void *'],
      { path: names.join(' ') },
      list.pointer,
      DEFERRED,
      failed,
    );
  } finally {
    freeResult(failed);
  }
}

/** Destroys a file system that has no snapshots. `ENOENT`; `EBUSY` when it is mounted or has some; `EEXIST` with datasets below it. */
export async function zfsDestroy(name: string): Promise<void> {
  await call('lzc_destroy', ['void *'], { path: name }, cString(name));
}

/** `LZC_SEND_FLAG_EMBED_DATA`, `…_LARGE_BLOCK`, `…_COMPRESS`: as it is on disk, which is the least work. */
const AS_STORED = 7;

/** Writes what changed from one snapshot, `from`, to a later one to a descriptor, as a stream; comes back when all is written. */
export async function zfsSend(snapshot: string, from: string, fd: number): Promise<void> {
  const subject = { path: from, dest: snapshot };
  const parameters = ['void *', 'void *', 'int', 'int'];
  await call('lzc_send', parameters, subject, cString(snapshot), cString(from), fd, AS_STORED);
}

function freeResult(result: Buffer): void {
  const pointer = result.readBigUInt64LE();
  if (pointer !== 0n) freeList(pointer);
}
