/**
 * Growing a mounted filesystem to the size of its device. Sources: `linux/ext4.h` and `fs/ext4/ioctl.c`; `xfs_fs.h`, ioctl_xfs_fsgeometry(2).
 */
import { blockDeviceSize } from './block-device.ts';
import { closeFile, openFile } from './files.ts';
import { declare } from './libc.ts';
import { statfs } from './statfs.ts';

/** `_IOW('f', 16, __u64)`. */
const EXT4_IOC_RESIZE_FS = 0x4008_6610;
/** `_IOR('X', 126, struct xfs_fsop_geom)`, whose blocksize u32 is at 0, imaxpct u32 at 28 and datablocks u64 at 32. */
const XFS_IOC_FSGEOMETRY = 0x8100_587e;
const XFS_GEOMETRY_SIZE = 256;
/** `_IOW('X', 110, struct xfs_growfs_data)`: newblocks u64, imaxpct u32. */
const XFS_IOC_FSGROWFSDATA = 0x4010_586e;

const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'ioctl_grow');

/** Grows what is mounted at `path` to the whole of `device`; nothing happens where it has that size. */
export function growFilesystem(path: string, type: 'ext4' | 'xfs', device: string): void {
  const bytes = blockDeviceSize(device);
  const fd = openFile(path, 'r');
  try {
    if (type === 'ext4') growExt4(fd, path, bytes);
    else growXfs(fd, path, bytes);
  } finally {
    closeFile(fd);
  }
}

function growExt4(fd: number, path: string, bytes: number): void {
  const blocks = Buffer.alloc(8);
  blocks.writeBigUInt64LE(BigInt(Math.floor(bytes / statfs(path).blockSize)));
  ioctlCall({ path }, fd, EXT4_IOC_RESIZE_FS, blocks);
}

function growXfs(fd: number, path: string, bytes: number): void {
  const geometry = Buffer.alloc(XFS_GEOMETRY_SIZE);
  ioctlCall({ path }, fd, XFS_IOC_FSGEOMETRY, geometry);
  const wanted = BigInt(Math.floor(bytes / geometry.readUInt32LE(0)));
  if (wanted <= geometry.readBigUInt64LE(32)) return;
  const growth = Buffer.alloc(16);
  growth.writeBigUInt64LE(wanted, 0);
  growth.writeUInt32LE(geometry.readUInt32LE(28), 8);
  ioctlCall({ path }, fd, XFS_IOC_FSGROWFSDATA, growth);
}
