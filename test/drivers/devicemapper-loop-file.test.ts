/** The files of a devicemapper pool on loop devices. */
import assert from 'node:assert/strict';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { makeLoopFile, mustBeWhole } from '../../src/drivers/devicemapper/loop-file.ts';
import { TsengineError } from '../../src/errors.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { makeStore } from '../helpers/stores.ts';

describe("a pool's loop file", () => {
  test('may be a link to another disk', () => {
    using store = makeStore();
    const [data, elsewhere] = [`${store.dataRoot}/data`, `${store.dataRoot}/elsewhere`];
    symlinkSync(elsewhere, data);
    makeLoopFile('data', data, 6000);
    assert.equal(statSync(elsewhere).size, 6000);
    makeLoopFile('data', data, 5000);
    assert.equal(statSync(elsewhere).size, 6000);
  });

  test('that has lost its end is told before it grows', () => {
    using store = makeStore();
    const [data, metadata] = [`${store.dataRoot}/data`, `${store.dataRoot}/metadata`];
    const source = {
      data: { device: undefined, file: data },
      metadata: { device: undefined, file: metadata },
    };
    mustBeWhole(source);
    const block = Buffer.alloc(8192);
    writeFileSync(metadata, block);
    writeFileSync(data, 'cut');
    mustBeWhole(source);
    block.writeBigUInt64LE(27_022_010n, 32);
    block.writeBigUInt64LE(2n, 64);
    block.writeBigUInt64LE(2n, 192);
    block.writeUInt32LE(128, 336);
    writeFileSync(metadata, block);
    const short = (file: string, left: number, of: number): void =>
      assert.throws(() => mustBeWhole(source), {
        code: 'Corrupt',
        message: `devicemapper: ${file} has ${left} bytes of the ${of} that the pool was made of: put it back from a backup`,
      });
    short(data, 3, 131_072);
    // A device is looked at when the pool is made: it does not grow.
    mustBeWhole({ ...source, data: { device: '/dev/none', file: data } });
    writeFileSync(data, '');
    mustBeWhole(source);
    writeFileSync(data, Buffer.alloc(131_072));
    mustBeWhole(source);
    writeFileSync(metadata, block.subarray(0, 4096));
    short(metadata, 4096, 8192);
    writeFileSync(data, 'cut');
    assert.throws(
      () => mustBeWhole({ ...source, metadata: { device: metadata, file: '/none' } }),
      /data has 3 /,
    );
  });

  test('that its filesystem does not take is none, and it is said whose size it is', () => {
    // 16 TiB, less a block: what ext4 has numbers for.
    using filesystem = makeFilesystem('ext4');
    assert.throws(
      () => makeLoopFile('data', `${filesystem.path}/data`, 17 * 1024 ** 4),
      (error) => {
        assert.ok(error instanceof TsengineError && error.exitCode === 125);
        assert.match(error.message, /takes no \/.*\/data of \d+ bytes: give a smaller dm\.loopdatasize$/);
        return true;
      },
    );
  });
});
