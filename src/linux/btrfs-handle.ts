/** Opening subvolumes of btrfs by their numbers. Source: `fs/btrfs/export.h`, and name_to_handle_at(2). Needs CAP_DAC_READ_SEARCH. */
import { closeFd, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from './at.ts';
import { ROOT_INODE } from './btrfs.ts';
import { rootGeneration } from './btrfs-search.ts';
import { declare } from './libc.ts';

const openHandleCall = declare('open_by_handle_at', 'int', ['int', 'void *', 'int']);

/** `struct file_handle`: bytes u32, type s32; and of `struct btrfs_fid` the inode u64, its subvolume u64, its generation u32. */
const HANDLE_SIZE = 28;
const FID_SIZE = 20;
const WITHOUT_PARENT = 0x4d;

/**
 * Opens the root of a subvolume by its number, wherever it is and however long its path, runs, closes. `fd` is any open file of
 * the filesystem.
 */
export function withSubvolume<T>(fd: number, id: bigint, run: (opened: number) => T): T {
  const handle = Buffer.alloc(HANDLE_SIZE);
  handle.writeUInt32LE(FID_SIZE, 0);
  handle.writeInt32LE(WITHOUT_PARENT, 4);
  handle.writeBigUInt64LE(ROOT_INODE, 8);
  handle.writeBigUInt64LE(id, 16);
  handle.writeUInt32LE(Number(rootGeneration(fd, id) & 0xffff_ffffn), 24);
  const opened = openHandleCall({ path: `subvolume ${id}` }, fd, handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    return run(opened);
  } finally {
    closeFd(opened);
  }
}
