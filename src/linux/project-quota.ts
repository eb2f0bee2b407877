/**
 * Project quotas: a directory tree belongs to a project, by a number, and the filesystem limits what a project may take.
 * Sources: ioctl_xfs_fsgetxattr(2), quotactl(2), `linux/fs.h`, `linux/dqblk_xfs.h`.
 */
import { closeFile, openFile } from './files.ts';
import { checkedLayout, declare } from './libc.ts';
import { type BytePath, cString } from './path.ts';

const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'ioctl_fsxattr');
const quotactlCall = declare('quotactl', 'int', ['int', 'void *', 'int', 'void *']);

/** `_IOR('X', 31, struct fsxattr)` and `_IOW('X', 32, struct fsxattr)`. */
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FSXATTR_SIZE = 28;
/** What is made in the directory belongs to its project. */
const FS_XFLAG_PROJINHERIT = 0x200;

/** `QCMD(XQM_CMD(n), PRJQUOTA)`. */
const command = (n: number): number => ((0x5800 + n) << 8) | 2;
const Q_XGETQUOTA = command(3);
const Q_XSETQLIM = command(4);
const Q_XGETQSTAT = command(5);
const FS_QUOTA_STAT_SIZE = 80;
const FS_QUOTA_PDQ_ACCT = 1 << 4;
const FS_QUOTA_PDQ_ENFD = 1 << 5;

const FS_DISK_QUOTA_SIZE = 112;
const FS_DQUOT_VERSION = 1;
const FS_PROJ_QUOTA = 2;
const FS_DQ_BSOFT = 1 << 2;
const FS_DQ_BHARD = 1 << 3;
/** Limits are in units of 512 bytes. */
const UNIT = 512n;

let checked = false;

function checkLayouts(): void {
  if (checked) return;
  checkedLayout('fsxattr', FSXATTR_SIZE, [
    ['fsx_xflags', 'uint32_t', 0],
    ['fsx_extsize', 'uint32_t', 4],
    ['fsx_nextents', 'uint32_t', 8],
    ['fsx_projid', 'uint32_t', 12],
    ['fsx_cowextsize', 'uint32_t', 16],
    ['fsx_pad', 'char[8]', 20],
  ]);
  checked = true;
}

function withAttributes<T>(directory: BytePath, use: (fd: number, attributes: Buffer) => T): T {
  checkLayouts();
  const fd = openFile(directory, 'r');
  try {
    const attributes = Buffer.alloc(FSXATTR_SIZE);
    ioctlCall({ path: directory }, fd, FS_IOC_FSGETXATTR, attributes);
    return use(fd, attributes);
  } finally {
    closeFile(fd);
  }
}

/** The project that a directory belongs to; 0 is none. Fails with `ENOTTY` or `EOPNOTSUPP` where there are no projects. */
export function projectOf(directory: BytePath): number {
  return withAttributes(directory, (_, attributes) => attributes.readUInt32LE(12));
}

/** Puts a directory, and what will be made in it, into a project. What is in it already stays where it was. */
export function setProject(directory: BytePath, project: number): void {
  withAttributes(directory, (fd, attributes) => {
    attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
    attributes.writeUInt32LE(project, 12);
    ioctlCall({ path: directory }, fd, FS_IOC_FSSETXATTR, attributes);
  });
}

/** Whether the filesystem on a block device counts what projects take and keeps them to their limits. */
export function enforcesProjectQuotas(device: BytePath): boolean {
  const state = Buffer.alloc(FS_QUOTA_STAT_SIZE);
  if (quotactlCall.attempt({ path: device }, Q_XGETQSTAT, cString(device), 0, state) < 0) return false;
  const both = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD;
  return (state.readUInt16LE(2) & both) === both;
}

/** How many bytes a project takes, those that are set aside for what is not written yet among them. */
export function spaceOfProject(device: BytePath, project: number): number {
  const quota = Buffer.alloc(FS_DISK_QUOTA_SIZE);
  quotactlCall({ path: device }, Q_XGETQUOTA, cString(device), project, quota);
  return Number(quota.readBigUInt64LE(40) * UNIT);
}

/** Limits a project to so many bytes, rounded up to 512; 0 is no limit. */
export function limitProject(device: BytePath, project: number, bytes: number): void {
  const limit = (BigInt(Math.ceil(bytes)) + UNIT - 1n) / UNIT;
  const quota = Buffer.alloc(FS_DISK_QUOTA_SIZE);
  quota.writeInt8(FS_DQUOT_VERSION, 0);
  quota.writeInt8(FS_PROJ_QUOTA, 1);
  quota.writeUInt16LE(FS_DQ_BSOFT | FS_DQ_BHARD, 2);
  quota.writeUInt32LE(project, 4);
  quota.writeBigUInt64LE(limit, 8);
  quota.writeBigUInt64LE(limit, 16);
  quotactlCall({ path: device }, Q_XSETQLIM, cString(device), project, quota);
}
