/**
 * Calls that work relative to an open directory, so that a path can be walked without ever being looked up twice.
 * Names are single components or paths below the directory; none of these follows a symbolic link in the last component.
 */
import { EPERM, SyscallError } from './errno.ts';
import { declare, declareSyscall } from './libc.ts';
import { type BytePath, cString } from './path.ts';

/** open(2) flags, the values that x86-64 uses; arm64 differs in the four that `process.arch` selects. Source: `asm/fcntl.h`. */
const ARM = process.arch === 'arm64';
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY = ARM ? 0o40000 : 0o200000;
export const O_NOFOLLOW = ARM ? 0o100000 : 0o400000;
export const O_CLOEXEC = 0o2000000;
export const O_NOATIME = 0o1000000;
export const O_PATH = 0o10000000;
/** With a directory's path: a new file in it that has no name. */
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

/** openat2(2) resolution flags. Source: `linux/openat2.h`. */
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;

const openatCall = declare('openat', 'int', ['int', 'void *', 'int', 'uint']);
const openat2Call = declareSyscall(437, 'openat2', ['int', 'void *', 'void *', 'size_t']);
const closeCall = declare('close', 'int', ['int']);
const mkdiratCall = declare('mkdirat', 'int', ['int', 'void *', 'uint']);
/** Of the C library only since 2.33, which Debian bullseye's machines with OpenZFS have not got. Source: `asm/unistd_64.h`, `asm-generic/unistd.h`. */
const mknodatCall = declareSyscall(ARM ? 33 : 259, 'mknodat', ['int', 'void *', 'uint', 'uint']);
const symlinkatCall = declare('symlinkat', 'int', ['void *', 'int', 'void *']);
const linkatCall = declare('linkat', 'int', ['int', 'void *', 'int', 'void *', 'int']);
const unlinkatCall = declare('unlinkat', 'int', ['int', 'void *', 'int']);
const renameat2Call = declare('renameat2', 'int', ['int', 'void *', 'int', 'void *', 'uint']);
const fchownatCall = declare('fchownat', 'int', ['int', 'void *', 'uint', 'uint', 'int']);
const fchmodatCall = declare('fchmodat', 'int', ['int', 'void *', 'uint', 'int']);
const fchownCall = declare('fchown', 'int', ['int', 'uint', 'uint']);
const fchmodCall = declare('fchmod', 'int', ['int', 'uint']);
const utimensatCall = declare('utimensat', 'int', ['int', 'void *', 'void *', 'int']);
const futimensCall = declare('futimens', 'int', ['int', 'void *']);
const readlinkatCall = declare('readlinkat', 'long', ['int', 'void *', 'void *', 'size_t']);

/** Opens `name` below `dirfd` and gives the descriptor, which is close-on-exec. */
export function openAt(dirfd: number, name: BytePath, flags: number, mode = 0): number {
  return openatCall({ path: name }, dirfd, cString(name), flags | O_CLOEXEC, mode);
}

/**
 * The same, to read a file or a directory whose time of last access is none of the reader's business: that stays as it is where
 * the file is ours or root's rights reach it. Where a layer is a snapshot, each time written is a piece of it that is shared no
 * more.
 */
export function openUnmarked(dirfd: number, name: BytePath, flags: number): number {
  const fd = openatCall.attempt({ path: name }, dirfd, cString(name), flags | O_CLOEXEC | O_NOATIME, 0);
  if (fd >= 0) return fd;
  if (fd !== -EPERM) throw new SyscallError(openatCall.syscall, -fd, { path: name });
  // It is somebody else's.
  return openAt(dirfd, name, flags);
}

/**
 * Opens `path` with openat2(2): `resolve` says how it may be walked. With `RESOLVE_IN_ROOT` the kernel treats `dirfd`
 * as the root, so that neither `..` nor an absolute symbolic link leads out, whatever another process renames meanwhile.
 * `ENOSYS` on kernels before 5.6 and under seccomp profiles that do not know the call.
 */
export function openAt2(dirfd: number, path: BytePath, flags: number, resolve: number, mode = 0): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return openat2Call({ path }, dirfd, cString(path), how, how.length);
}

/** Closes a descriptor. */
export function closeFd(fd: number): void {
  closeCall(undefined, fd);
}

/** Makes a directory. The umask applies. */
export function mkdirAt(dirfd: number, name: BytePath, mode: number): void {
  mkdiratCall({ path: name }, dirfd, cString(name), mode);
}

/** The kernel's encoding of a device number in user space. Source: `makedev` of glibc's `sys/sysmacros.h`. */
export function makeDev(major: number, minor: number): bigint {
  const ma = BigInt(major);
  const mi = BigInt(minor);
  return ((ma & 0xfffff000n) << 32n) | ((ma & 0xfffn) << 8n) | ((mi & 0xffffff00n) << 12n) | (mi & 0xffn);
}

/**
 * Makes a device node, fifo, socket or plain file; `mode` holds the file type. The umask applies. Fails with `EINVAL` for a device
 * number that has no place in the kernel's 32 bits.
 */
export function mknodAt(dirfd: number, name: BytePath, mode: number, major = 0, minor = 0): void {
  const device = makeDev(major, minor);
  if (device > 0xffff_ffffn) throw new SyscallError('mknodat', 'EINVAL', { path: name });
  mknodatCall({ path: name }, dirfd, cString(name), mode, Number(device));
}

/** Makes the symbolic link `name` that points to `target`. */
export function symlinkAt(target: BytePath, dirfd: number, name: BytePath): void {
  symlinkatCall({ path: target, dest: name }, cString(target), dirfd, cString(name));
}

/** Makes a hard link; a symbolic link as source is linked itself, not followed. */
export function linkAt(oldDirfd: number, oldName: BytePath, newDirfd: number, newName: BytePath): void {
  linkatCall({ path: oldName, dest: newName }, oldDirfd, cString(oldName), newDirfd, cString(newName), 0);
}

/** Gives an open file a name, a new one; also a file that `O_TMPFILE` made without any. Source: open(2), `O_TMPFILE`. */
export function linkOpenFile(fd: number, path: BytePath): void {
  const own = cString(`/proc/self/fd/${fd}`);
  linkatCall({ path }, AT_FDCWD, own, AT_FDCWD, cString(path), AT_SYMLINK_FOLLOW);
}

/** Removes a name that is not a directory. */
export function unlinkAt(dirfd: number, name: BytePath): void {
  unlinkatCall({ path: name }, dirfd, cString(name), 0);
}

/** Removes an empty directory. */
export function rmdirAt(dirfd: number, name: BytePath): void {
  unlinkatCall({ path: name }, dirfd, cString(name), AT_REMOVEDIR);
}

/** renameat2(2) flags. Source: `linux/fs.h`. */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;
export const RENAME_WHITEOUT = 4;

/** Renames, atomically, with the flags of renameat2(2). */
export function renameAt2(
  oldDirfd: number,
  oldName: BytePath,
  newDirfd: number,
  newName: BytePath,
  flags = 0,
): void {
  const subject = { path: oldName, dest: newName };
  renameat2Call(subject, oldDirfd, cString(oldName), newDirfd, cString(newName), flags);
}

/** Changes owner and group of a name; a symbolic link itself is changed. */
export function lchownAt(dirfd: number, name: BytePath, uid: number, gid: number): void {
  fchownatCall({ path: name }, dirfd, cString(name), uid, gid, AT_SYMLINK_NOFOLLOW);
}

/** Changes the permission bits of a name that is known not to be a symbolic link: chmod(2) follows links. */
export function chmodAt(dirfd: number, name: BytePath, mode: number): void {
  fchmodatCall({ path: name }, dirfd, cString(name), mode, 0);
}

/** The same for what a descriptor stands for, which may be one of `O_PATH` and of a symbolic link. */
export function chownHandle(fd: number, uid: number, gid: number): void {
  fchownatCall(undefined, fd, cString(''), uid, gid, AT_EMPTY_PATH);
}

/** Changes owner and group of an open file. */
export function fchown(fd: number, uid: number, gid: number): void {
  fchownCall(undefined, fd, uid, gid);
}

/** Changes the permission bits of an open file. */
export function fchmod(fd: number, mode: number): void {
  fchmodCall(undefined, fd, mode);
}

/** A time to set: seconds (may be negative) and nanoseconds; `'omit'` leaves it, `'now'` takes the clock. */
export type SetTime = { readonly sec: number; readonly nsec: number } | 'omit' | 'now';
// Source: `UTIME_NOW` and `UTIME_OMIT` of `sys/stat.h`.
const UTIME_NOW = (1n << 30n) - 1n;
const UTIME_OMIT = (1n << 30n) - 2n;

const times = Buffer.alloc(32);
function fillTime(at: number, value: SetTime): void {
  if (typeof value === 'string') {
    times.writeBigInt64LE(0n, at);
    times.writeBigInt64LE(value === 'now' ? UTIME_NOW : UTIME_OMIT, at + 8);
  } else {
    times.writeBigInt64LE(BigInt(value.sec), at);
    times.writeBigInt64LE(BigInt(value.nsec), at + 8);
  }
}

/** Sets access and modification time of a name, to the nanosecond; a symbolic link itself is changed. */
export function utimensAt(dirfd: number, name: BytePath, atime: SetTime, mtime: SetTime): void {
  fillTime(0, atime);
  fillTime(16, mtime);
  utimensatCall({ path: name }, dirfd, cString(name), times, AT_SYMLINK_NOFOLLOW);
}

/** The same for what a descriptor stands for, as `chownHandle`. Linux 5.8. */
export function utimensHandle(fd: number, atime: SetTime, mtime: SetTime): void {
  fillTime(0, atime);
  fillTime(16, mtime);
  utimensatCall(undefined, fd, cString(''), times, AT_EMPTY_PATH);
}

/** Sets access and modification time of an open file, to the nanosecond. */
export function futimens(fd: number, atime: SetTime, mtime: SetTime): void {
  fillTime(0, atime);
  fillTime(16, mtime);
  futimensCall(undefined, fd, times);
}

/** The bytes a symbolic link holds. */
export function readlinkAt(dirfd: number, name: BytePath): Buffer {
  const buffer = Buffer.allocUnsafe(4096);
  const length = readlinkatCall({ path: name }, dirfd, cString(name), buffer, buffer.length);
  return Buffer.from(buffer.subarray(0, length));
}
