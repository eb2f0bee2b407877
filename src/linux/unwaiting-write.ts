/**
 * Writes that never wait, to descriptors that we share with others. O_NONBLOCK is no way: it belongs to the open file, and the
 * shell that started us, or whoever else writes there, would have it as well.
 */
import { hasErrno } from '../errors.ts';
import { O_NONBLOCK, O_WRONLY } from './at.ts';
import { SyscallError } from './errno.ts';
import { closeFile, openFile } from './files.ts';
import { declare } from './libc.ts';
import { fstat, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } from './stat.ts';

const writeCall = declare('write', 'long', ['int', 'void *', 'size_t']);
const sendCall = declare('send', 'long', ['int', 'void *', 'size_t', 'int']);
const pollCall = declare('poll', 'int', ['void *', 'ulong', 'int']);

/** A terminal must not become our controlling one. */
const O_NOCTTY = 0o400;
const EAGAIN = 11;
const EINTR = 4;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLOUT = 4;
/** Bytes that a pipe takes at once when it says that it takes any: PIPE_BUF. */
const PIPE_BUF = 4096;

/** A descriptor that is written to without waiting. */
export interface UnwaitingWriter extends Disposable {
  /** Writes what is taken at once, and gives its number of bytes: 0 when the reader has to read first. `EPIPE` when there is none. */
  write(data: Buffer): number;
}

/**
 * Opens the descriptor's file a second time with O_NONBLOCK where it is a pipe or a terminal, and sends without waiting where it
 * is a socket. A pipe or terminal that may not be opened (of another user) is asked with poll(2) first; there somebody else
 * who fills it in between makes us wait. Files are written as always. Disposing leaves the descriptor itself open.
 */
export function unwaitingWriter(fd: number): UnwaitingWriter {
  const type = fstat(fd).mode & S_IFMT;
  const nothing = (): void => undefined;
  if (type === S_IFSOCK)
    return {
      write: (data) =>
        taken('send', sendCall.attempt(undefined, fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL)),
      [Symbol.dispose]: nothing,
    };
  if (type !== S_IFIFO && type !== S_IFCHR)
    return { write: (data) => writeTo(fd, data), [Symbol.dispose]: nothing };
  const own = openAgain(fd);
  if (own === undefined)
    return {
      write: (data) => (isReady(fd) ? writeTo(fd, data.subarray(0, PIPE_BUF)) : 0),
      [Symbol.dispose]: nothing,
    };
  return { write: (data) => writeTo(own, data), [Symbol.dispose]: () => closeFile(own) };
}

/** `undefined` where it cannot be: not ours, no reader any more, no /proc. */
function openAgain(fd: number): number | undefined {
  try {
    return openFile(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    if (hasErrno(error, 'EACCES', 'EPERM', 'ENXIO', 'ENOENT', 'ENODEV', 'EIO', 'EBUSY')) return undefined;
    throw error;
  }
}

function writeTo(fd: number, data: Buffer): number {
  return taken('write', writeCall.attempt(undefined, fd, data, data.length));
}

function taken(call: string, result: number): number {
  if (result >= 0) return result;
  if (result === -EAGAIN || result === -EINTR) return 0;
  throw new SyscallError(call, -result);
}

/** Also when a write would fail, which it then does at once. */
function isReady(fd: number): boolean {
  const asked = Buffer.alloc(8);
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(POLLOUT, 4);
  return pollCall.attempt(undefined, asked, 1, 0) > 0;
}
