/**
 * overlay2 and vfs on XFS without file types, on NFS and on FUSE, of which this machine's kernel may have none: in a machine with
 * Debian's 6.1 what does not serve is refused and says why, and what serves says what it does without. Some checks of the suite;
 * the matrix has all of them.
 */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { DRIVERS, FILESYSTEMS } from './backings-tried.ts';
import { guestProgram, onceText } from './guest-program.ts';
import { succeedsInMachine } from './in-machine.ts';

/** As a cell of the matrix: NFS servers and mounts go with it. */
const COMMAND = 'exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc node -';

const NO_TYPES =
  /^overlay2: the backing xfs filesystem is formatted without d_type support, .* Reformat the filesystem with ftype=1 /;
const ELSEWHERE = ': put the data root on ext4, xfs or btrfs, or choose another storage driver$';
const NO_HOLES = /^the filesystem does not say where files have holes: copies of them are full$/;

const TIMES = /^the filesystem writes the time of access whoever reads: looking at a layer writes to it$/;

/** What each must come to: of the checks so many pass or are excused, and the reasons are these. */
const EXPECTED = {
  'overlay2 on xfs-noftype': { status: 'refused', passed: 0, excused: 0, reasons: [NO_TYPES] },
  'vfs on xfs-noftype': { status: 'works', passed: 3, excused: 0, reasons: [] },
  'overlay2 on fuse': {
    status: 'refused',
    passed: 0,
    excused: 0,
    reasons: [new RegExp(`^'overlay2' is not supported over fuse.*${ELSEWHERE}`)],
  },
  'vfs on fuse': { status: 'limited', passed: 2, excused: 1, reasons: [NO_HOLES, TIMES] },
  'overlay2 on nfs': {
    status: 'refused',
    passed: 0,
    excused: 0,
    reasons: [new RegExp(`^'overlay2' is not supported over nfs.*${ELSEWHERE}`)],
  },
  'vfs on nfs': {
    status: 'limited',
    passed: 3,
    excused: 0,
    reasons: [TIMES, / no extended attributes of security\.\*: /, / no extended attributes of trusted\.\*: /],
  },
} as const;

test('XFS without file types, NFS and FUSE are refused, or limited as told', {
  timeout: 3_600_000,
}, async () => {
  const { stdout, said } = await succeedsInMachine({
    command: ['sh', '-c', COMMAND],
    stdin: onceText(guestProgram(resolve(import.meta.dirname, 'backings-in-machine.ts'))),
  });
  const found = new Map<string, unknown>();
  for (const line of stdout.trim().split('\n')) {
    const { driver, backing, status, reasons, tests, log } = JSON.parse(line);
    const name = `${driver} on ${backing}`;
    const expected = Object.entries(EXPECTED).find(([one]) => one === name)?.[1];
    assert.ok(expected !== undefined, line);
    const { passed, excused } = expected;
    assert.deepEqual(
      { status, tests },
      { status: expected.status, tests: { passed, failed: 0, excused } },
      log,
    );
    assert.equal(reasons.length, expected.reasons.length, log);
    for (const [index, pattern] of expected.reasons.entries()) assert.match(reasons[index], pattern);
    found.set(name, status);
  }
  assert.equal(found.size, DRIVERS.length * FILESYSTEMS.length, said);
});
