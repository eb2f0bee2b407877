/** What a subvolume of btrfs may hold. Source: `linux/btrfs.h`. */
import { hasErrno } from '../errors.ts';
import { declare } from './libc.ts';
import { withRoot } from './open-directory.ts';
import type { BytePath } from './path.ts';

const quotaCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_quota_ctl');
const limitCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_qgroup_limit');
const groupCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_qgroup_create');

/** `_IOWR(0x94, 40, struct btrfs_ioctl_quota_ctl_args)`: cmd, status u64. */
const QUOTA_CTL = 0xc010_9428;
const QUOTA_ENABLE = 1n;
/** `_IOR(0x94, 43, struct btrfs_ioctl_qgroup_limit_args)`: qgroupid, flags, max_rfer, max_excl, rsv_rfer, rsv_excl u64. */
const QGROUP_LIMIT = 0x8030_942b;
const LIMIT_REFERENCED = 1n;
/** `CLEAR_VALUE` of fs/btrfs/qgroup.c. */
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
/** `_IOW(0x94, 42, struct btrfs_ioctl_qgroup_create_args)`: create, qgroupid u64. */
const QGROUP_CREATE = 0x4010_942a;

/** Lets the filesystem count what its subvolumes hold, from now on. Nothing happens when it does already. */
export function enableQuota(path: BytePath): void {
  const args = Buffer.alloc(16);
  args.writeBigUInt64LE(QUOTA_ENABLE, 0);
  try {
    withRoot(path, (fd) => quotaCall({ path }, fd, QUOTA_CTL, args));
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

/** Limits what a subvolume may refer to, what it shares with others included, to so many bytes. Needs counting. */
export function limitSubvolume(path: BytePath, bytes: number): void {
  const args = Buffer.alloc(48);
  args.writeBigUInt64LE(LIMIT_REFERENCED, 8);
  args.writeBigUInt64LE(BigInt(Math.ceil(bytes)), 16);
  withRoot(path, (fd) => limitCall({ path }, fd, QGROUP_LIMIT, args));
}

/** Lifts the limit of a subvolume, where there is one. `on` is any folder of the filesystem. Never fails: what needs room then finds out. */
export function unlimitSubvolume(on: BytePath, id: bigint): void {
  const args = Buffer.alloc(48);
  args.writeBigUInt64LE(id, 0);
  args.writeBigUInt64LE(LIMIT_REFERENCED, 8);
  args.writeBigUInt64LE(NO_LIMIT, 16);
  withRoot(on, (fd) => limitCall.attempt({ path: on }, fd, QGROUP_LIMIT, args));
}

/** Forgets the count of a subvolume that was deleted. Does nothing where the kernel does so itself, or does not count. */
export function forgetSubvolume(on: BytePath, id: bigint): void {
  const args = Buffer.alloc(16);
  args.writeBigUInt64LE(id, 8);
  withRoot(on, (fd) => groupCall.attempt({ path: on }, fd, QGROUP_CREATE, args));
}
