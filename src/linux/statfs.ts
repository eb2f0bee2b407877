import { checkedLayout, declare } from './libc.ts';
import { type BytePath, cString } from './path.ts';

/** What statfs(2) says of a filesystem. Sizes are in bytes. */
export interface FsStat {
  /** The magic number of the filesystem type (`linux/magic.h`). */
  readonly magic: number;
  /** Tells it from others of its type, one made anew on the same device too: most draw it at random when made. Hexadecimal. */
  readonly id: string;
  readonly blockSize: number;
  readonly total: number;
  readonly free: number;
  /** Free for users without privileges. */
  readonly available: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

/** Filesystem magic numbers and the names Docker's `info` uses for them. Source: `linux/magic.h` and the filesystems' own headers. */
export const FS_NAMES: ReadonlyMap<number, string> = new Map([
  [0x61756673, 'aufs'],
  [0x9123683e, 'btrfs'],
  [0x28cd3d45, 'cramfs'],
  [0xf15f, 'ecryptfs'],
  [0xe0f5e1e2, 'erofs'],
  [0xef53, 'extfs'],
  [0xf2f52010, 'f2fs'],
  [0x65735546, 'fuse'],
  [0x47504653, 'gpfs'],
  [0x3153464a, 'jfs'],
  [0x6969, 'nfs'],
  [0x794c7630, 'overlayfs'],
  [0x858458f6, 'ramfs'],
  [0x52654973, 'reiserfs'],
  [0xff534d42, 'cifs'],
  [0x73717368, 'squashfs'],
  [0x01021994, 'tmpfs'],
  [0x01021997, '9p'],
  [0x15013346, 'udf'],
  [0x786f4256, 'vboxfs'],
  [0x58465342, 'xfs'],
  [0x2fc12fc1, 'zfs'],
]);

/** `NAME` of a filesystem's magic number, or `<unknown>` as Docker says. */
export function fsName(magic: number): string {
  return FS_NAMES.get(magic) ?? '<unknown>';
}

/**
 * How much space a filesystem wants to be free before it renames a file, which it does not use: its journal and its
 * delayed allocation aside, only one does. btrfs sets aside 256 KiB for each of a dozen items in its trees (16 KiB nodes, 8
 * levels, read and written: `btrfs_calc_insert_metadata_size`).
 */
export function renameReservation(path: BytePath): number {
  return fsName(statfs(path).magic) === 'btrfs' ? 13 * 256 * 1024 : 0;
}

const statfsCall = declare('statfs', 'int', ['void *', 'void *']);
let size: number | undefined;

/** statfs(2) of the filesystem that holds `path`. */
export function statfs(path: BytePath): FsStat {
  // 64-bit layout of `struct statfs`, the same on x86-64 and arm64.
  size ??= checkedLayout('statfs', 120, [
    ['f_type', 'int64_t', 0],
    ['f_bsize', 'int64_t', 8],
    ['f_blocks', 'uint64_t', 16],
    ['f_bfree', 'uint64_t', 24],
    ['f_bavail', 'uint64_t', 32],
    ['f_files', 'uint64_t', 40],
    ['f_ffree', 'uint64_t', 48],
    ['f_fsid', 'int[2]', 56],
    ['f_namelen', 'int64_t', 64],
    ['f_frsize', 'int64_t', 72],
    ['f_flags', 'int64_t', 80],
    ['f_spare', 'int64_t[4]', 88],
  ]);
  const buffer = Buffer.alloc(size);
  statfsCall({ path }, cString(path), buffer);
  const blockSize = Number(buffer.readBigInt64LE(8));
  return {
    magic: Number(buffer.readBigInt64LE(0)) >>> 0,
    id: buffer.toString('hex', 56, 64),
    blockSize,
    total: Number(buffer.readBigUInt64LE(16)) * blockSize,
    free: Number(buffer.readBigUInt64LE(24)) * blockSize,
    available: Number(buffer.readBigUInt64LE(32)) * blockSize,
    inodes: Number(buffer.readBigUInt64LE(40)),
    freeInodes: Number(buffer.readBigUInt64LE(48)),
  };
}
