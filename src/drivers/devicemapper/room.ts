/**
 * Whether a pool has room for another device (`dm.min_free_space`): in its own blocks, and, because loop files are sparse, on the
 * file system that these are in. A pool whose metadata cannot be written is lost until it is checked, so that some of its file
 * is always there ahead of what is used; data that cannot be written is an error for who writes it, and no more.
 */
import { hasErrno, TsengineError } from '../../errors.ts';
import { closeFile, openFile } from '../../linux/files.ts';
import { FALLOC_FL_KEEP_SIZE, fallocate } from '../../linux/space.ts';
import { lstat } from '../../linux/stat.ts';
import { statfs } from '../../linux/statfs.ts';
import type { Pool } from './pool.ts';
import { METADATA_BLOCK, type PoolStatus } from './pool-format.ts';

/** `stx_blocks` counts in these. */
const STAT_BLOCK = 512;
/** How much of the metadata's file is there ahead of what is used, besides as much again. */
const AHEAD = 16 * 1024 * 1024;

/** What is asked of the pool. */
export type PoolWithRoom = Pick<Pool, 'name' | 'files' | 'devices'>;

/** Fails where a pool takes no other device. */
export function mustHaveRoom(pool: PoolWithRoom, status: PoolStatus, percent: number): void {
  if (status.mode === 'out_of_data_space') throw full(`the pool ${pool.name} has no free block`, GROW);
  if (percent > 0) {
    mustHaveBlocks(pool, status, percent);
    mustHaveBelow(pool, status, percent);
  }
  const { metadata } = pool.files;
  if (metadata !== undefined) allocateAhead(metadata, status.metadataUsed * METADATA_BLOCK);
}

const GROW = 'remove images and containers, grow the pool (dm.loopdatasize for loop files)';

function mustHaveBlocks({ name }: PoolWithRoom, status: PoolStatus, percent: number): void {
  for (const [what, total, used] of [
    ['data', status.dataTotal, status.dataUsed],
    ['metadata', status.metadataTotal, status.metadataUsed],
  ] as const) {
    const least = Math.max(1, Math.floor((total * percent) / 100));
    if (total - used >= least) continue;
    throw full(
      `the pool ${name} has ${total - used} free ${what} blocks, fewer than the ${least} that dm.min_free_space=${percent}% keeps`,
      GROW,
    );
  }
}

/** What of the pool's free blocks is in the file already needs no room below. Of a pool larger than that file system, that one's size counts. */
function mustHaveBelow(pool: PoolWithRoom, status: PoolStatus, percent: number): void {
  const file = pool.files.data;
  if (file === undefined) return;
  const { blockBytes } = pool.devices();
  const { available, total } = statfs(file);
  const used = status.dataUsed * blockBytes;
  const ahead = Math.max(0, lstat(file).blocks * STAT_BLOCK - used);
  const size = status.dataTotal * blockBytes;
  const room = Math.min(available + ahead, size - used);
  const least = Math.floor((Math.min(size, total) * percent) / 100);
  if (room >= least) return;
  throw full(
    `${room} bytes are free where ${file} grows, fewer than the ${least} that dm.min_free_space=${percent}% keeps`,
    'remove images and containers, make room on that file system',
  );
}

/** Has a file's first blocks allocated: twice what is used, and some more. */
export function allocateAhead(file: string, used: number): void {
  const { size, blocks } = lstat(file);
  const wanted = Math.min(size, 2 * used + AHEAD);
  if (blocks * STAT_BLOCK >= wanted) return;
  const fd = openFile(file, 'r+');
  try {
    fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, wanted);
  } catch (error) {
    if (hasErrno(error, 'ENOSPC', 'EDQUOT')) {
      const why = `${file} is sparse, and the file system that it is in has no ${wanted} bytes for the pool's metadata`;
      throw full(why, 'remove images and containers, make room on that file system', error);
    }
    // Not every file system can.
    if (!hasErrno(error, 'EOPNOTSUPP', 'ENOSYS')) throw error;
  } finally {
    closeFile(fd);
  }
}

function full(why: string, how: string, cause?: unknown): TsengineError {
  return new TsengineError(
    'System',
    `devicemapper: no space left on device: ${why}: ${how}, or set dm.min_free_space lower`,
    { cause },
  );
}
