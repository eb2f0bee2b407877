/**
 * Power cuts: a data root works on a disk whose every write is recorded, in a machine of the lab. Then the disk is made as
 * it would be after each of the writes in question, or without some that no flush had followed, mounted here, and opened as by the next command. What was reported
 * done is there and whole, of what was under way there is all or nothing, and nobody repairs anything by hand.
 *
 * `npm test` takes one recording and some cuts of it; `npm run test:full` takes every flush, every mark, 200 random
 * places and 100 at which writes are lost, for each driver and filesystem.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { makeFilesystem } from '../helpers/loop.ts';
import { FULL, leftOut, sampleOf, sized } from '../helpers/scope.ts';
import type { Cut } from './power-cut/block-log.ts';
import { checkCuts } from './power-cut/check.ts';
import { type RecordTask, record } from './power-cut/recording.ts';

const SHORT: readonly RecordTask[] = [{ driver: 'overlay2', filesystem: 'ext4' }];
const ALL: readonly RecordTask[] = [
  ...SHORT,
  { driver: 'overlay2', filesystem: 'xfs' },
  { driver: 'overlay2', filesystem: 'btrfs' },
  { driver: 'vfs', filesystem: 'ext4' },
  { driver: 'vfs', filesystem: 'btrfs' },
  { driver: 'btrfs', filesystem: 'btrfs' },
];

/** `TSENGINE_TEST_CUT=overlay2:btrfs` takes one alone. */
const only = process.env.TSENGINE_TEST_CUT;
const named = ALL.filter(({ driver, filesystem }) => only === `${driver}:${filesystem}`);

for (const task of only !== undefined ? named : FULL ? ALL : SHORT) {
  test(`${task.driver} on ${task.filesystem}`, { timeout: 7_200_000 }, async (t) => {
    using memory = makeFilesystem('tmpfs');
    mkdirSync(`${memory.path}/results`);
    const recording = await record(task, `${memory.path}/results`);
    using _ = recording.log;
    let all = 0;
    const choose = (cuts: readonly Cut[]): readonly Cut[] => {
      all = cuts.length;
      return sampleOf(cuts, {
        oneIn: 20,
        bothEnds: true,
        kindOf: ({ mark }) => mark,
        of: `${task.driver} ${task.filesystem}`,
      });
    };
    const drawn = { random: sized(200, 40), torn: sized(100, 40) };
    const { cuts, faults } = await checkCuts(recording, memory.path, drawn, choose);
    assert.ok(cuts > recording.looks.length, `${cuts} cuts`);
    t.diagnostic(`${cuts} cuts, ${recording.log.entries.length} writes${leftOut(cuts, all)}`);
    assert.deepEqual(faults, []);
  });
}
