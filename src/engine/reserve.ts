/**
 * Space kept back for what must go on when a filesystem is full to the last byte. Whoever wants to free space needs a
 * little of it first: removing an image's name writes `repositories.json` anew. So `<data-root>/tsengine/reserve` holds a few
 * blocks, which are given up when a removal finds the filesystem full, and taken back when there is space again.
 * `reserve-ends` is the same for recording that a container has ended: many ends must not use up what the removals need
 * that come after them. On btrfs, which writes everything anew elsewhere, each of them does.
 */
import { existsSync, statSync } from 'node:fs';
import { hasErrno } from '../errors.ts';
import { closeFile, openFile, removeFile, writeAll } from '../linux/files.ts';
import { fallocate } from '../linux/space.ts';
import { renameReservation } from '../linux/statfs.ts';
import { syncfsNow } from '../linux/sync.ts';
import type { DataRoot } from './root.ts';

/** Enough for `repositories.json` with a thousand names, a lease, and a few blocks of directories. Some filesystems want more. */
const BYTES = 1024 * 1024;

/** What the reserve is needed for. A removal, which gives space back, may have all of it. */
export type ReservePurpose = 'end' | 'removal';

const FILES: Readonly<Record<ReservePurpose, readonly string[]>> = {
  end: ['reserve-ends'],
  removal: ['reserve', 'reserve-ends'],
};

/** Makes what is missing of the reserve. Where there is no space for it, a later call will have more luck. */
export function keepReserve(root: DataRoot): void {
  for (const name of FILES.removal) keepFile(`${root.stateDir}/${name}`);
}

/** A file that is too short was left by a kill in the middle. Two processes may do this at once: they do the same. */
function keepFile(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= BYTES) return;
  try {
    const fd = openFile(path, 'a');
    try {
      allocate(fd, BYTES + 2 * renameReservation(path));
    } finally {
      closeFile(fd);
    }
  } catch {
    removeIfPossible(path);
  }
}

function allocate(fd: number, bytes: number): void {
  try {
    fallocate(fd, 0, 0, bytes);
  } catch (error) {
    if (!hasErrno(error, 'EOPNOTSUPP', 'ENOSYS')) throw error;
    writeAll(fd, Buffer.alloc(bytes));
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

/** Gives a part of the reserve up. Whether it was there. */
function spend(root: DataRoot, name: string): boolean {
  const path = `${root.stateDir}/${name}`;
  if (!existsSync(path) || !removeIfPossible(path)) return false;
  endTransaction(root);
  return true;
}

/** Gives all of the reserve up. `keepReserve` makes it again. */
export function spendReserve(root: DataRoot): void {
  for (const name of FILES.removal) spend(root, name);
}

/** btrfs and others give blocks back when their transaction ends. */
function endTransaction(root: DataRoot): void {
  const fd = openFile(root.stateDir, 'r');
  try {
    syncfsNow(fd);
  } finally {
    closeFile(fd);
  }
}

/** ZFS keeps freed blocks for so many transactions more (`TXG_DEFER_SIZE`, and the one that frees). */
const DEFERRED = 3;

/** Does `work`, with what was given up; again after each transaction that may bring it. */
async function withSpent<T>(root: DataRoot, work: () => Promise<T> | T): Promise<T> {
  for (let ended = 0; ; ended++) {
    try {
      return await work();
    } catch (error) {
      if (!isFull(error) || ended === DEFERRED) throw error;
      endTransaction(root);
    }
  }
}

/**
 * Does `work`, and again with each part of the reserve as long as it finds the filesystem full. `work` must be repeatable:
 * it either changes nothing before it fails, or goes on where it was. Fails with what was wrong in the beginning.
 */
export async function withReserve<T>(
  root: DataRoot,
  work: () => Promise<T> | T,
  purpose: ReservePurpose = 'removal',
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFull(error)) throw error;
    for (const name of FILES[purpose]) {
      if (!spend(root, name)) continue;
      try {
        return await withSpent(root, work);
      } catch (again) {
        if (!isFull(again)) break;
      }
    }
    throw error;
  }
}

function isFull(error: unknown): boolean {
  return hasErrno(error, 'ENOSPC', 'EDQUOT');
}
