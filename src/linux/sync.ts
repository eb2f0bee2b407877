import { closeFd, O_DIRECTORY, O_RDONLY, openAt } from './at.ts';
import { declare } from './libc.ts';
import type { BytePath } from './path.ts';
import { AT_FDCWD } from './stat.ts';
import { fsName, statfs } from './statfs.ts';

const syncfsCall = declare('syncfs', 'int', ['int']);
const syncRangeCall = declare('sync_file_range', 'int', ['int', 'int64_t', 'int64_t', 'uint']);

/** Writes everything of the open file's filesystem to disk, on a thread of the pool. */
export async function syncfs(fd: number): Promise<void> {
  await syncfsCall.async(undefined, fd);
}

/** The same for the filesystem of a directory. */
export async function syncFilesystemOf(path: string): Promise<void> {
  const fd = openAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  try {
    await syncfs(fd);
  } finally {
    closeFd(fd);
  }
}

/** Writes everything of the open file's filesystem to disk, on this thread. */
export function syncfsNow(fd: number): void {
  syncfsCall(undefined, fd);
}

const SYNC_FILE_RANGE_WRITE = 2;

/**
 * Begins to write a file's dirty pages to disk and does not wait. Only a hint: it makes a later syncfs short and
 * promises nothing.
 */
export function beginWriteback(fd: number, offset = 0, length = 0): void {
  syncRangeCall(undefined, fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

/**
 * Whether changes of names come to disk in the order in which they were made. On btrfs and ZFS what is fsynced comes
 * before what was done earlier and is not.
 */
export function keepsOrder(path: BytePath): boolean {
  return !['btrfs', 'zfs'].includes(fsName(statfs(path).magic));
}
