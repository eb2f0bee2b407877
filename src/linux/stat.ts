import { ENOENT, ENOTDIR, SyscallError } from './errno.ts';
import { checkedLayout, declareSyscall } from './libc.ts';
import { type BytePath, cString } from './path.ts';

/** File type bits of a mode. Source: stat(2). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** Means "the current directory" where a directory descriptor is asked for. Source: `fcntl.h`. */
export const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;

/** What statx(2) says of a file, with nanosecond times. */
export interface FileStat {
  /** File type and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: bigint;
  /** Bytes. */
  readonly size: number;
  /** 512-byte units that are allocated. */
  readonly blocks: number;
  readonly atime: { readonly sec: number; readonly nsec: number };
  readonly mtime: { readonly sec: number; readonly nsec: number };
  readonly ctime: { readonly sec: number; readonly nsec: number };
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

// `int statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *)`: 332 on x86-64, 291 on arm64.
const statxCall = declareSyscall(process.arch === 'arm64' ? 291 : 332, 'statx', [
  'int',
  'void *',
  'int',
  'uint',
  'void *',
]);

const STATX_SIZE = 256;
let scratch: Buffer | undefined;

function statxBuffer(): Buffer {
  if (scratch === undefined) {
    checkedLayout('statx', STATX_SIZE, [
      ['stx_mask', 'uint32_t', 0],
      ['stx_blksize', 'uint32_t', 4],
      ['stx_attributes', 'uint64_t', 8],
      ['stx_nlink', 'uint32_t', 16],
      ['stx_uid', 'uint32_t', 20],
      ['stx_gid', 'uint32_t', 24],
      ['stx_mode', 'uint16_t', 28],
      ['__spare0', 'uint16_t', 30],
      ['stx_ino', 'uint64_t', 32],
      ['stx_size', 'uint64_t', 40],
      ['stx_blocks', 'uint64_t', 48],
      ['stx_attributes_mask', 'uint64_t', 56],
      ['times', 'int64_t[8]', 64],
      ['stx_rdev_major', 'uint32_t', 128],
      ['stx_rdev_minor', 'uint32_t', 132],
      ['stx_dev_major', 'uint32_t', 136],
      ['stx_dev_minor', 'uint32_t', 140],
      ['__spare3', 'uint64_t[14]', 144],
    ]);
    scratch = Buffer.alloc(STATX_SIZE);
  }
  return scratch;
}

function time(buffer: Buffer, at: number): { sec: number; nsec: number } {
  return { sec: Number(buffer.readBigInt64LE(at)), nsec: buffer.readUInt32LE(at + 8) };
}

function stat(dirfd: number, path: BytePath, flags: number): FileStat {
  const buffer = statxBuffer();
  statxCall({ path }, dirfd, cString(path), flags, STATX_BASIC_STATS, buffer);
  return decode(buffer);
}

function decode(buffer: Buffer): FileStat {
  return {
    mode: buffer.readUInt16LE(28),
    nlink: buffer.readUInt32LE(16),
    uid: buffer.readUInt32LE(20),
    gid: buffer.readUInt32LE(24),
    ino: buffer.readBigUInt64LE(32),
    size: Number(buffer.readBigUInt64LE(40)),
    blocks: Number(buffer.readBigUInt64LE(48)),
    atime: time(buffer, 64),
    ctime: time(buffer, 96),
    mtime: time(buffer, 112),
    rdevMajor: buffer.readUInt32LE(128),
    rdevMinor: buffer.readUInt32LE(132),
    devMajor: buffer.readUInt32LE(136),
    devMinor: buffer.readUInt32LE(140),
  };
}

/** The file `path` names below `dirfd`; a symbolic link is not followed. */
export function lstatAt(dirfd: number, path: BytePath): FileStat {
  return stat(dirfd, path, AT_SYMLINK_NOFOLLOW);
}

/** The same; `undefined` when there is no such file. */
export function lstatIfAny(dirfd: number, path: BytePath): FileStat | undefined {
  const buffer = statxBuffer();
  const subject = { path };
  const result = statxCall.attempt(
    subject,
    dirfd,
    cString(path),
    AT_SYMLINK_NOFOLLOW,
    STATX_BASIC_STATS,
    buffer,
  );
  if (result === -ENOENT || result === -ENOTDIR) return undefined;
  if (result < 0) throw new SyscallError('statx', -result, subject);
  return decode(buffer);
}

/** The file `path` names; a symbolic link is not followed. */
export function lstat(path: BytePath): FileStat {
  return stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
}

/** The open file itself. */
export function fstat(fd: number): FileStat {
  return stat(fd, '', AT_EMPTY_PATH);
}
