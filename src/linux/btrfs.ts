/**
 * btrfs from the kernel's side: subvolumes and snapshots. Source: `linux/btrfs.h` and `linux/btrfs_tree.h`, the same on x86-64
 * and arm64. What is asked here needs CAP_SYS_ADMIN; kernels from 5.7 on have all of it.
 */
import { declare } from './libc.ts';
import { withRoot } from './open-directory.ts';
import { type BytePath, cString } from './path.ts';
import { lstat } from './stat.ts';
import { fsName, statfs } from './statfs.ts';

const createCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_subvol_create');
const snapshotCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_snap_create');
const destroyCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_snap_destroy');
const infoCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_subvol_info');
const getFlagsCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_subvol_getflags');
const setFlagsCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_subvol_setflags');

/** `_IOW(0x94, nr, struct btrfs_ioctl_vol_args_v2)`: fd s64 at 0, transid u64, flags u64 at 16, four u64, name at 56 or its id. */
const SUBVOL_CREATE_V2 = 0x5000_9418;
const SNAP_CREATE_V2 = 0x5000_9417;
const SNAP_DESTROY_V2 = 0x5000_943f;
const VOL_ARGS_SIZE = 4096;
const FLAGS_AT = 16;
const NAME_AT = 56;
const LONGEST_NAME = 255;
const SPEC_BY_ID = 1n << 4n;

/** `_IOR(0x94, 60, struct btrfs_ioctl_get_subvol_info_args)`. */
const GET_SUBVOL_INFO = 0x81f8_943c;
const INFO_SIZE = 504;

/** `_IOR(0x94, 25, u64)` and `_IOW(0x94, 26, u64)`. */
const SUBVOL_GETFLAGS = 0x8008_9419;
const SUBVOL_SETFLAGS = 0x4008_941a;
const READ_ONLY = 1n << 1n;

/** The inode number of a subvolume's root. */
export const ROOT_INODE = 256n;

/** What the kernel says of a subvolume. */
export interface SubvolumeInfo {
  readonly id: bigint;
  /** Hexadecimal. */
  readonly uuid: string;
  /** That of the subvolume of which it is a snapshot; all zeros when of none. */
  readonly parentUuid: string;
  /** The transaction that ended with its making: whatever changed later, in it or in what it is a snapshot of, has a higher number. */
  readonly madeIn: bigint;
}

/** Whether the path is on btrfs. */
export function isOnBtrfs(path: BytePath): boolean {
  return fsName(statfs(path).magic) === 'btrfs';
}

/** Whether a directory on btrfs is the root of a subvolume. */
export function isSubvolume(path: BytePath): boolean {
  const { mode, ino } = lstat(path);
  return (mode & 0o170000) === 0o040000 && ino === ROOT_INODE;
}

function volumeArguments(name: BytePath): Buffer {
  const bytes = cString(name);
  if (bytes.length > LONGEST_NAME + 1) throw new RangeError('a name of a subvolume is too long');
  const args = Buffer.alloc(VOL_ARGS_SIZE);
  bytes.copy(args, NAME_AT);
  return args;
}

function split(path: string): readonly [folder: string, name: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash), path.slice(slash + 1)];
}

/** Makes an empty subvolume at an absolute path. Fails with `EEXIST` when something is there. */
export function createSubvolume(path: string): void {
  const [folder, name] = split(path);
  withRoot(folder, (fd) => createCall({ path }, fd, SUBVOL_CREATE_V2, volumeArguments(name)));
}

/** Makes a writable snapshot of the subvolume `of` at an absolute path. */
export function createSnapshot(of: BytePath, path: string): void {
  const [folder, name] = split(path);
  withRoot(of, (source) => {
    const args = volumeArguments(name);
    args.writeBigInt64LE(BigInt(source), 0);
    withRoot(folder, (fd) => snapshotCall({ path }, fd, SNAP_CREATE_V2, args));
  });
}

/** Deletes a subvolume by its number; `on` is any path of the same filesystem. One that has others in it fails with `ENOTEMPTY`. */
export function destroySubvolume(on: BytePath, id: bigint): void {
  const args = Buffer.alloc(VOL_ARGS_SIZE);
  args.writeBigUInt64LE(SPEC_BY_ID, FLAGS_AT);
  args.writeBigUInt64LE(id, NAME_AT);
  withRoot(on, (fd) => destroyCall({ path: on }, fd, SNAP_DESTROY_V2, args));
}

/** What the kernel says of the subvolume that an open file is in. */
export function subvolumeInfo(fd: number): SubvolumeInfo {
  const info = Buffer.alloc(INFO_SIZE);
  infoCall(undefined, fd, GET_SUBVOL_INFO, info);
  return {
    id: info.readBigUInt64LE(0),
    uuid: info.toString('hex', 296, 312),
    parentUuid: info.toString('hex', 312, 328),
    madeIn: info.readBigUInt64LE(352),
  };
}

/** Lets a subvolume be written, and what is in it be removed, which whoever owns its root may have forbidden. `fd` is its root. */
export function allowWriting(fd: number): void {
  const args = Buffer.alloc(8);
  getFlagsCall(undefined, fd, SUBVOL_GETFLAGS, args);
  const flags = args.readBigUInt64LE(0);
  if ((flags & READ_ONLY) === 0n) return;
  args.writeBigUInt64LE(flags & ~READ_ONLY, 0);
  setFlagsCall(undefined, fd, SUBVOL_SETFLAGS, args);
}
