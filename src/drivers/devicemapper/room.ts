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
import { badOption } from '../storage-options.ts';
import type { Pool } from './pool.ts';
import { METADATA_BLOCK, type PoolStatus } from './pool-format.ts';

/** `stx_blocks` counts in these. */
const STAT_BLOCK = 512;
/** How much of the metadata's file is there ahead of what is used, besides as much again. */
const AHEAD = 16 * 1024 * 1024;

/**
 * How many of a pool's blocks one block of its metadata counts, two bits each behind a header of 16 bytes. Source: the kernel's
 * drivers/md/persistent-data/dm-space-map-common.c.
 */
const COUNTED = (METADATA_BLOCK - 16) * 4;
/** Blocks of metadata that growing takes besides the counts: what leads to them, and copies of it. */
const BESIDES = 16;

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

/**
 * Fails where a pool's metadata has no room to count so many blocks of data, and has that room allocated. The kernel finds out when
 * the pool is stopped to be given them, and gives it up.
 */
export function mustKnowAll(
  { name, files }: Pick<Pool, 'name' | 'files'>,
  status: PoolStatus,
  blocks: number,
): void {
  const { metadataUsed, metadataTotal, dataTotal } = status;
  const more = Math.ceil(blocks / COUNTED) - Math.ceil(dataTotal / COUNTED);
  if (more <= 0) return;
  const wanted = more + Math.ceil(more / 64) + BESIDES;
  const free = metadataTotal - metadataUsed;
  if (free < wanted) {
    throw badOption(
      `devicemapper: the metadata of the pool ${name} has ${free} free blocks of ${METADATA_BLOCK} bytes, and ${wanted} are wanted to have ${blocks} blocks of data: give it more (dm.loopmetadatasize for loop files), or ask for less data`,
    );
  }
  if (files.metadata !== undefined) allocateAhead(files.metadata, (metadataUsed + wanted) * METADATA_BLOCK);
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
