import { type BytePath, printablePath } from './path.ts';

/** The numbers of errors that are answers (`Call.attempt`), the same on x86-64 and arm64. */
export const EPERM = 1;
export const ENOENT = 2;
export const ENOTDIR = 20;
export const ERANGE = 34;
export const ENODATA = 61;
export const EOPNOTSUPP = 95;

/** Linux errno values: number, name, text. Source: `include/uapi/asm-generic/errno*.h`, the same on x86-64 and arm64. */
const TABLE =
  '1 EPERM operation not permitted|2 ENOENT no such file or directory|3 ESRCH no such process|' +
  '4 EINTR interrupted system call|5 EIO input/output error|6 ENXIO no such device or address|' +
  '7 E2BIG argument list too long|8 ENOEXEC exec format error|9 EBADF bad file descriptor|' +
  '10 ECHILD no child processes|11 EAGAIN resource temporarily unavailable|12 ENOMEM cannot allocate memory|' +
  '13 EACCES permission denied|14 EFAULT bad address|15 ENOTBLK block device required|' +
  '16 EBUSY device or resource busy|17 EEXIST file exists|18 EXDEV invalid cross-device link|' +
  '19 ENODEV no such device|20 ENOTDIR not a directory|21 EISDIR is a directory|22 EINVAL invalid argument|' +
  '23 ENFILE too many open files in system|24 EMFILE too many open files|25 ENOTTY inappropriate ioctl for device|' +
  '26 ETXTBSY text file busy|27 EFBIG file too large|28 ENOSPC no space left on device|29 ESPIPE illegal seek|' +
  '30 EROFS read-only file system|31 EMLINK too many links|32 EPIPE broken pipe|34 ERANGE result out of range|' +
  '35 EDEADLK resource deadlock avoided|36 ENAMETOOLONG file name too long|37 ENOLCK no locks available|' +
  '38 ENOSYS function not implemented|39 ENOTEMPTY directory not empty|40 ELOOP too many levels of symbolic links|' +
  '61 ENODATA no data available|62 ETIME timer expired|71 EPROTO protocol error|74 EBADMSG bad message|' +
  '75 EOVERFLOW value too large for defined data type|84 EILSEQ invalid or incomplete byte sequence|' +
  '87 EUSERS too many users|88 ENOTSOCK socket operation on non-socket|90 EMSGSIZE message too long|' +
  '93 EPROTONOSUPPORT protocol not supported|95 EOPNOTSUPP operation not supported|' +
  '97 EAFNOSUPPORT address family not supported|98 EADDRINUSE address already in use|' +
  '103 ECONNABORTED software caused connection abort|104 ECONNRESET connection reset by peer|' +
  '105 ENOBUFS no buffer space available|106 EISCONN already connected|107 ENOTCONN not connected|' +
  '108 ESHUTDOWN cannot send after transport endpoint shutdown|' +
  '110 ETIMEDOUT connection timed out|111 ECONNREFUSED connection refused|114 EALREADY operation already in progress|' +
  '115 EINPROGRESS operation now in progress|116 ESTALE stale file handle|117 EUCLEAN structure needs cleaning|' +
  '121 EREMOTEIO remote I/O error|122 EDQUOT disk quota exceeded|123 ENOMEDIUM no medium found|' +
  '125 ECANCELED operation canceled|129 EKEYREJECTED key was rejected by service|130 EOWNERDEAD owner died';

interface Errno {
  readonly number: number;
  readonly name: string;
  readonly text: string;
}

let byNumber: Map<number, Errno> | undefined;
let byName: Map<string, Errno> | undefined;

function tables(): { byNumber: Map<number, Errno>; byName: Map<string, Errno> } {
  if (byNumber === undefined || byName === undefined) {
    byNumber = new Map();
    byName = new Map();
    for (const row of TABLE.split('|')) {
      const [number = '', name = ''] = row.split(' ', 2);
      const errno = { number: Number(number), name, text: row.slice(number.length + name.length + 2) };
      byNumber.set(errno.number, errno);
      byName.set(name, errno);
    }
  }
  return { byNumber, byName };
}

/** The number of an errno name; `undefined` for a name that Linux does not have or we do not list. */
export function errnoNumber(name: string): number | undefined {
  return tables().byName.get(name)?.number;
}

/** What a failed system call worked on. */
export interface SyscallSubject {
  readonly path?: BytePath | undefined;
  readonly dest?: BytePath | undefined;
}

/**
 * A failed system call. The message reads `rename /a -> /b: no space left on device`; `code` is the errno name, as on
 * Node's own system errors, so that `hasErrno` serves both.
 */
export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: BytePath | undefined;
  readonly dest: BytePath | undefined;
  /** Why, in words: `no space left on device`. */
  readonly reason: string;

  constructor(syscall: string, errno: number | string, subject: SyscallSubject = {}, cause?: unknown) {
    const known = typeof errno === 'number' ? tables().byNumber.get(errno) : tables().byName.get(errno);
    const from = subject.path === undefined ? '' : ` ${printablePath(subject.path)}`;
    const to = subject.dest === undefined ? '' : ` -> ${printablePath(subject.dest)}`;
    const reason = known?.text ?? `error ${errno}`;
    super(`${syscall}${from}${to}: ${reason}`, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.code = known?.name ?? String(errno);
    this.errno = known?.number ?? (typeof errno === 'number' ? errno : 0);
    this.syscall = syscall;
    this.path = subject.path;
    this.dest = subject.dest;
  }
}
