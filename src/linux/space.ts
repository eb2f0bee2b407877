import { SyscallError } from './errno.ts';
import { declare } from './libc.ts';

const fallocateCall = declare('fallocate', 'int', ['int', 'int', 'int64_t', 'int64_t']);
const lseekCall = declare('lseek', 'int64_t', ['int', 'int64_t', 'int']);
const ftruncateCall = declare('ftruncate', 'int', ['int', 'int64_t']);
const copyRangeCall = declare('copy_file_range', 'long', [
  'int',
  'void *',
  'int',
  'void *',
  'size_t',
  'uint',
]);
const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'long'], 'ioctl_ficlone');

/** fallocate(2) modes. Source: `linux/falloc.h`. */
export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;

/** Allocates, or with flags frees, the blocks of a range. */
export function fallocate(fd: number, mode: number, offset: number, length: number): void {
  fallocateCall(undefined, fd, mode, offset, length);
}

/** Sets a file's size; what is new reads as zeros and takes no space. */
export function ftruncate(fd: number, size: number): void {
  ftruncateCall(undefined, fd, size);
}

const SEEK_SET = 0;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

function seek(fd: number, offset: number, whence: number): number | undefined {
  try {
    return lseekCall(undefined, fd, offset, whence);
  } catch (error) {
    // ENXIO: nothing of that kind at or after the offset.
    if (error instanceof SyscallError && error.code === 'ENXIO') return undefined;
    throw error;
  }
}

/** Where the first data at or after `offset` begins; `undefined` when only a hole follows. */
export function seekData(fd: number, offset: number): number | undefined {
  return seek(fd, offset, SEEK_DATA);
}

/** Where the first hole at or after `offset` begins; the end of the file counts as one. */
export function seekHole(fd: number, offset: number): number | undefined {
  return seek(fd, offset, SEEK_HOLE);
}

/** Sets the position of an open file. */
export function seekTo(fd: number, offset: number): void {
  lseekCall(undefined, fd, offset, SEEK_SET);
}

/**
 * Copies a range in the kernel, on the filesystem itself where it can. Gives the bytes copied, which may be fewer;
 * 0 at the end of the source. `EXDEV`, `EINVAL` or `EOPNOTSUPP` where this pair of files cannot: read and write then.
 */
export function copyFileRange(
  from: number,
  fromAt: number,
  to: number,
  toAt: number,
  length: number,
): number {
  const source = Buffer.alloc(8);
  const target = Buffer.alloc(8);
  source.writeBigInt64LE(BigInt(fromAt));
  target.writeBigInt64LE(BigInt(toAt));
  return copyRangeCall(undefined, from, source, to, target, length, 0);
}

// `_IOW(0x94, 9, int)`. Source: ioctl_ficlonerange(2).
const FICLONE = 0x40049409;

/**
 * Makes the file `to` share all blocks of `from` (a reflink). `EOPNOTSUPP`, `EINVAL`, `EXDEV` or `ENOTTY` where the
 * filesystem cannot.
 */
export function ficlone(from: number, to: number): void {
  ioctlCall(undefined, to, FICLONE, from);
}
