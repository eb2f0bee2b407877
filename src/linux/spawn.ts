/**
 * Starting a program without Node's child_process: posix_spawn(3) shares our memory until the program is executed instead
 * of copying page tables, and no streams, sockets and signal handlers are set up for it. For programs that go on without
 * us (10 ms less than `spawn` for a process of Node's size).
 */
import { hasErrno } from '../errors.ts';
import { SyscallError } from './errno.ts';
import { listDirectory } from './files.ts';
import { declare, declareSyscall, loadKoffi } from './libc.ts';
import { cString } from './path.ts';

/** More than glibc's and musl's `posix_spawn_file_actions_t` (80 bytes) and `posix_spawnattr_t` (336 bytes). */
const OPAQUE = 1024;
/** `posix_spawnattr_setflags`: signals to their defaults, no signal blocked, a session of its own. Source: `spawn.h`. */
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
/** `linux/close_range.h`; kernel 5.11 and newer. */
const CLOSE_RANGE_CLOEXEC = 4;
/** Descriptors that a program may be given are below this, ours that become them at or above it. */
const LOWEST_SOURCE = 16;

const spawnCall = declare('posix_spawn', 'int', ['void *', 'void *', 'void *', 'void *', 'void *', 'void *']);
const actionsInit = declare('posix_spawn_file_actions_init', 'int', ['void *']);
const actionsDestroy = declare('posix_spawn_file_actions_destroy', 'int', ['void *']);
const actionsDup2 = declare('posix_spawn_file_actions_adddup2', 'int', ['void *', 'int', 'int']);
const actionsOpen = declare('posix_spawn_file_actions_addopen', 'int', [
  'void *',
  'int',
  'void *',
  'int',
  'uint',
]);
const actionsChdir = declare('posix_spawn_file_actions_addchdir_np', 'int', ['void *', 'void *']);
const attributesInit = declare('posix_spawnattr_init', 'int', ['void *']);
const attributesFlags = declare('posix_spawnattr_setflags', 'int', ['void *', 'short']);
const attributesDefault = declare('posix_spawnattr_setsigdefault', 'int', ['void *', 'void *']);
const attributesMask = declare('posix_spawnattr_setsigmask', 'int', ['void *', 'void *']);
const waitpidCall = declare('waitpid', 'int', ['int', 'void *', 'int']);
const pipeCall = declare('pipe2', 'int', ['void *', 'int']);
const closeRangeCall = declareSyscall(436, 'close_range', ['uint', 'uint', 'uint']);
const fcntlCall = declare('fcntl', 'int', ['int', 'int', 'int']);
const closeCall = declare('close', 'int', ['int']);

/** A pipe: both ends are close-on-exec, and the caller's to close. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** `F_SETPIPE_SZ` (fcntl(2)). */
const SET_PIPE_SIZE = 1031;

/** Makes a pipe. `size`: how many bytes it is to hold, where the kernel grants that; otherwise as many as it gives every pipe. */
export function makePipe(size?: number): Pipe {
  const ends = Buffer.alloc(8);
  pipeCall(undefined, ends, O_CLOEXEC);
  const pipe = { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
  if (size !== undefined) fcntlCall.attempt(undefined, pipe.write, SET_PIPE_SIZE, size);
  return pipe;
}

/** What is to be started. */
export interface SpawnRequest {
  /** A path. */
  readonly program: string;
  /** Without the program itself. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The program's descriptors by number, up to 15, out of ours. 0 to 2 are /dev/null unless given; it gets no others. */
  readonly descriptors: ReadonlyMap<number, number>;
}

/** An array of pointers to C strings, ended by NULL, and the strings, which must live as long. */
function pointers(texts: readonly string[]): { readonly array: Buffer; readonly strings: readonly Buffer[] } {
  const strings = texts.map(cString);
  const array = Buffer.alloc((strings.length + 1) * 8);
  for (const [index, text] of strings.entries()) array.writeBigUInt64LE(loadKoffi().address(text), index * 8);
  return { array, strings };
}

function attributes(): Buffer {
  const buffer = Buffer.alloc(OPAQUE);
  // `sigset_t` is 128 bytes: every signal, and none.
  attributesInit(undefined, buffer);
  attributesDefault(undefined, buffer, Buffer.alloc(128, 0xff));
  attributesMask(undefined, buffer, Buffer.alloc(128));
  attributesFlags(undefined, buffer, SETSIGDEF | SETSIGMASK | SETSID);
  return buffer;
}

/** Our descriptors, moved out of the way of the numbers that the program's will have. Gives those that were made for it. */
function moveUp(descriptors: ReadonlyMap<number, number>): { moved: Map<number, number>; made: number[] } {
  const made: number[] = [];
  const moved = new Map<number, number>();
  for (const [target, source] of descriptors) {
    if (source >= LOWEST_SOURCE) {
      moved.set(target, source);
      continue;
    }
    const copy = fcntlCall(undefined, source, F_DUPFD_CLOEXEC, LOWEST_SOURCE);
    made.push(copy);
    moved.set(target, copy);
  }
  return { moved, made };
}

/**
 * Marks every descriptor from 3 on as close-on-exec. Node opens its own so, but not those that we were started with: a
 * shell's redirection would otherwise stay open for as long as the program lives, and its reader wait for its end.
 */
function keepDescriptors(): void {
  try {
    closeRangeCall(undefined, 3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC);
  } catch (error) {
    if (!hasErrno(error, 'ENOSYS', 'EINVAL', 'EPERM')) throw error;
    for (const name of listDirectory('/proc/self/fd')) {
      try {
        if (Number(name) >= 3) fcntlCall(undefined, Number(name), F_SETFD, FD_CLOEXEC);
      } catch (closed) {
        // The descriptor that read the directory is in the list.
        if (!hasErrno(closed, 'EBADF')) throw closed;
      }
    }
  }
}

/**
 * Starts a program in a session of its own, with default signal handling. Gives its pid; `reap` it in the end. Fails with
 * the errno of posix_spawn(3), `ENOENT` for a program that is not there.
 */
export function spawnDetached(request: SpawnRequest): number {
  const { program, args, env, cwd, descriptors } = request;
  const argv = pointers([program, ...args]);
  const envp = pointers(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  const actions = Buffer.alloc(OPAQUE);
  const pid = Buffer.alloc(4);
  const devNull = cString('/dev/null');
  keepDescriptors();
  actionsInit(undefined, actions);
  const { moved, made } = moveUp(descriptors);
  try {
    for (const fd of [0, 1, 2]) {
      if (!moved.has(fd)) actionsOpen(undefined, actions, fd, devNull, O_RDWR, 0);
    }
    for (const [target, source] of moved) actionsDup2(undefined, actions, source, target);
    actionsChdir(undefined, actions, cString(cwd));
    const subject = { path: program };
    const errno = spawnCall(subject, pid, cString(program), actions, attributes(), argv.array, envp.array);
    if (errno !== 0) throw new SyscallError('posix_spawn', errno, subject);
  } finally {
    for (const fd of made) closeCall(undefined, fd);
    actionsDestroy(undefined, actions);
  }
  return pid.readInt32LE(0);
}

/** Waits for the end of a process that `spawnDetached` started, on a thread of the pool, so that it does not stay a zombie. */
export async function reap(pid: number): Promise<void> {
  await waitpidCall.async(undefined, pid, null, 0);
}

const WNOHANG = 1;
/** Milliseconds between two looks at a process that is waited for only so long. */
const LOOK_AGAIN = 0.5;

/**
 * Waits for the end of a process that `spawnDetached` started, on this thread: for one that takes a moment. Gives its exit
 * status, 128 and the signal's number when a signal ended it; `undefined` when it has not ended within so many milliseconds: it
 * goes on then, and is to be waited for again. Source: wait(2).
 */
export function waitHere(pid: number, milliseconds: number): number | undefined {
  const status = Buffer.alloc(4);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + milliseconds;
  while (waitpidCall(undefined, pid, status, WNOHANG) === 0) {
    if (performance.now() >= end) return undefined;
    Atomics.wait(pause, 0, 0, LOOK_AGAIN);
  }
  const word = status.readInt32LE(0);
  const signal = word & 0x7f;
  return signal === 0 ? (word >> 8) & 0xff : 128 + signal;
}
