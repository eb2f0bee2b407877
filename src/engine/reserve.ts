/**
 * Space kept back for removals. Whoever wants to free space on a filesystem that is full to the last byte needs a little
 * of it first: removing an image's name writes `repositories.json` anew. So `<data-root>/tsengine/reserve` holds a few
 * blocks, which are given up when a removal finds the filesystem full, and taken back when there is space again.
 */
import { existsSync } from 'node:fs';
import { hasErrno } from '../errors.ts';
import { closeFile, openFile, removeFile, writeAll } from '../linux/files.ts';
import { fallocate } from '../linux/space.ts';
import { syncfsNow } from '../linux/sync.ts';
import type { DataRoot } from './root.ts';

/** Enough for `repositories.json` with a thousand names, a lease, and a few blocks of directories. */
const BYTES = 1024 * 1024;

function fileOf(root: DataRoot): string {
  return `${root.stateDir}/reserve`;
}

/** Makes the reserve unless it is there. Where there is no space for it, a later call will have more luck. */
export function keepReserve(root: DataRoot): void {
  const path = fileOf(root);
  if (existsSync(path)) return;
  try {
    const fd = openFile(path, 'wx');
    try {
      allocate(fd);
    } finally {
      closeFile(fd);
    }
  } catch {
    removeIfPossible(path);
  }
}

function allocate(fd: number): void {
  try {
    fallocate(fd, 0, 0, BYTES);
  } catch (error) {
    if (!hasErrno(error, 'EOPNOTSUPP', 'ENOSYS')) throw error;
    writeAll(fd, Buffer.alloc(BYTES));
  }
}

function removeIfPossible(path: string): boolean {
  try {
    removeFile(path);
    return true;
  } catch {
    return false;
  }
}

/** Gives the reserve up. Whether there was one. */
function spendReserve(root: DataRoot): boolean {
  if (!existsSync(fileOf(root)) || !removeIfPossible(fileOf(root))) return false;
  // btrfs and others give blocks back when their transaction ends.
  const fd = openFile(root.stateDir, 'r');
  try {
    syncfsNow(fd);
  } finally {
    closeFile(fd);
  }
  return true;
}

/**
 * Does `work`, once more with the reserve when it found the filesystem full. `work` must be repeatable: it either changes
 * nothing before it fails, or goes on where it was.
 */
export async function withReserve<T>(root: DataRoot, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasErrno(error, 'ENOSPC', 'EDQUOT') || !spendReserve(root)) throw error;
    return await work();
  }
}
