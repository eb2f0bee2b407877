/** How much room a pool on sparse loop files has, and what is said of one that cannot be written. With real pools: test/lab/devicemapper/full-pool.sh. */
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { notWritable } from '../../src/drivers/devicemapper/pool-errors.ts';
import { isMetadataBehind, type PoolStatus } from '../../src/drivers/devicemapper/pool-format.ts';
import {
  allocateAhead,
  mustHaveRoom,
  mustKnowAll,
  type PoolWithRoom,
} from '../../src/drivers/devicemapper/room.ts';
import { lstat } from '../../src/linux/stat.ts';
import { makeFilesystem } from '../helpers/loop.ts';

const MIB = 1024 * 1024;
const BLOCK = 64 * 1024;

const STATUS: PoolStatus = {
  transaction: 1,
  metadataUsed: 100,
  metadataTotal: (32 * MIB) / 4096,
  dataUsed: 16,
  dataTotal: (4096 * MIB) / BLOCK,
  mode: 'rw',
  needsCheck: false,
};

/** A pool with sparse files in a folder. */
function poolIn(folder: string): PoolWithRoom {
  const files = { data: `${folder}/data`, metadata: `${folder}/metadata` };
  for (const [file, size] of [
    [files.data, 4096 * MIB],
    [files.metadata, 32 * MIB],
  ] as const) {
    writeFileSync(file, '');
    truncateSync(file, size);
  }
  return { name: 'pool', files, devices: () => ({ data: '7:0', metadata: '7:1', blockBytes: BLOCK }) };
}

const allocated = (file: string): number => lstat(file).blocks * 512;

describe("a pool's room", () => {
  test('to count more data is looked for, and allocated, before the pool grows', () => {
    using disk = makeFilesystem('ext4');
    const pool = poolIn(disk.path);
    // 16 320 blocks of data are counted by one of metadata.
    const most = (8192 - 100 - 16 - 126) * 16_320;
    mustKnowAll(pool, STATUS, most);
    assert.ok(allocated(pool.files.metadata ?? '') >= 31 * MIB);
    assert.throws(() => mustKnowAll(pool, STATUS, most + 400 * 16_320), {
      message:
        /^devicemapper: the metadata of the pool pool has 8092 free blocks of 4096 bytes, and 8\d+ are wanted/,
    });
    // What is counted by blocks that are there needs none.
    mustKnowAll(pool, { ...STATUS, metadataUsed: 8192 }, STATUS.dataTotal);
  });

  test('is no more than that of the file system that its sparse files are in', () => {
    using filesystem = makeFilesystem('ext4', { size: 128 * MIB });
    const pool = poolIn(filesystem.path);
    mustHaveRoom(pool, STATUS, 10);
    const ballast = `${filesystem.path}/ballast`;
    writeFileSync(ballast, Buffer.alloc(80 * MIB));
    assert.throws(
      () => mustHaveRoom(pool, STATUS, 10),
      /no space left on device: \d+ bytes are free where .*\/data grows, fewer than the \d+ that dm\.min_free_space=10% keeps: .*make room on that file system, or set dm\.min_free_space lower$/,
    );
    mustHaveRoom(pool, STATUS, 0);
    writeFileSync(ballast, '');
    mustHaveRoom(pool, STATUS, 10);
  });

  test('counts what of its file is there already', () => {
    using filesystem = makeFilesystem('ext4', { size: 128 * MIB });
    const pool = poolIn(filesystem.path);
    truncateSync(`${filesystem.path}/data`, 0);
    writeFileSync(`${filesystem.path}/data`, Buffer.alloc(80 * MIB));
    const all = { ...STATUS, dataTotal: (80 * MIB) / BLOCK };
    mustHaveRoom(pool, all, 30);
    assert.throws(() => mustHaveRoom(pool, { ...all, dataUsed: (79 * MIB) / BLOCK }, 10), /free data blocks/);
  });

  test('in its metadata is in the file ahead of what is used, also where no room is to be kept', () => {
    using filesystem = makeFilesystem('ext4', { size: 128 * MIB });
    const pool = poolIn(filesystem.path);
    const file = `${filesystem.path}/metadata`;
    mustHaveRoom(pool, STATUS, 0);
    assert.ok(allocated(file) >= 16 * MIB + 2 * 100 * 4096, String(allocated(file)));
    assert.equal(lstat(file).size, 32 * MIB);
    allocateAhead(file, 10 * MIB);
    assert.ok(allocated(file) >= 32 * MIB);
    assert.equal(lstat(file).size, 32 * MIB);
  });

  test('for its metadata that is not there is an error, and nothing is begun', () => {
    using filesystem = makeFilesystem('ext4', { size: 16 * MIB });
    const file = `${filesystem.path}/metadata`;
    writeFileSync(file, '');
    truncateSync(file, 64 * MIB);
    assert.throws(
      () => allocateAhead(file, 20 * MIB),
      /no space left on device: .*\/metadata is sparse, and the file system that it is in has no \d+ bytes for the pool's metadata/,
    );
  });
});

test("a pool that grew is told of its metadata's size, which its table does not say", () => {
  const status = { ...STATUS, metadataTotal: 8192 };
  assert.equal(isMetadataBehind(status, 32 * MIB), false);
  assert.equal(isMetadataBehind(status, 32 * MIB + 4095), false);
  assert.equal(isMetadataBehind(status, 40 * MIB), true);
  // The kernel uses no more of 16 GiB than this.
  assert.equal(isMetadataBehind({ ...status, metadataTotal: 4_161_600 }, 16 * 1024 * MIB), false);
});

test('a pool that is not written any more says how that is cleared', () => {
  const files = { data: '/store/data', metadata: '/store/metadata' };
  assert.match(
    notWritable({ name: 'pool', files }, { ...STATUS, mode: 'ro', needsCheck: true }).message,
    /the pool pool needs a check: .*run thin_check --clear-needs-check-flag on \/store\/metadata /,
  );
  assert.match(notWritable({ name: 'pool', files }, { ...STATUS, mode: 'ro' }).message, /is read-only: /);
});
