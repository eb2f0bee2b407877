/**
 * devicemapper in machines, because the kernel that tests run on may have no device-mapper. Every run has a part of the suite on
 * 6.1; a full run all of it, on loop files and block devices, ext4 and xfs, with udev and without, on four kernels, and the
 * scripts in devicemapper/, which say what they look for.
 *
 *     TSENGINE_TEST_FULL=1 sh scripts/node24.sh --test --test-name-pattern='full pool' test/lab/devicemapper.slow.test.ts
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FULL } from '../helpers/scope.ts';
import { guestProgram, onceText } from './guest-program.ts';
import { type GatheredRequest, succeedsInMachine } from './in-machine.ts';

const MIB = 1024 * 1024;
const HOUR = 3_600_000;
const FOLDER = '/opt/tsengine/test/lab/devicemapper';
const skip = FULL ? false : 'npm run test:full';

/** Runs a script in a machine, and gives what it printed. */
async function runThere(request: Omit<GatheredRequest, 'command'>, script: string): Promise<string> {
  return (await succeedsInMachine({ timeoutMs: HOUR, ...request, command: ['bash', '-c', script] })).said;
}

/** The suite, on loop files in the root image, each of which is checked when its store goes, or on two block devices, whose metadata is checked at the end. */
function suite(options: readonly string[], flags: string, onDisks: boolean): string {
  const all = onDisks
    ? [...options, 'dm.datadev=/dev/lab/disk1', 'dm.metadatadev=/dev/lab/disk2']
    : [...options, 'dm.loopdatasize=6G', 'dm.loopmetadatasize=64M'];
  const checked = onDisks ? '' : `bash ${FOLDER}/checked.sh /store `;
  const words = [...all, 'dm.basesize=1G'].map((option) => `--storage-opt ${option}`).join(' ');
  return [
    `set -eu; mkdir /store; ${checked}tsengine --debug ${words} driver check devicemapper --data-root /store ${flags}`,
    'test -z "$(ls -A /store)"; dmsetup ls | grep -v "No devices found" && exit 1',
    'test -z "$(losetup -a)"',
    ...(onDisks ? ['thin_check /dev/lab/disk2'] : []),
  ].join('\n');
}

/** Ten checks of the suite. */
const PART =
  'two containers|removed layer|in use is not removed|stands is not|not there is said|kept, seen from|image is renamed|named as Docker|leaves as a tar|left, and twice';

test('devicemapper keeps promises of the suite on block devices', { timeout: HOUR }, async () => {
  const request = { kernel: 'debian:6.1', disks: [4096 * MIB, 64 * MIB] };
  const said = await runThere(request, suite(['dm.fs=ext4'], `--only '${PART}'`, true));
  assert.match(said, /\n10 passed, 0 failed, 0 excused\n/);
});

for (const { kernel, fs, onDisks, udev } of [
  { kernel: 'debian:6.1', fs: 'xfs', onDisks: false, udev: false },
  { kernel: 'debian:6.1', fs: 'ext4', onDisks: true, udev: true },
  { kernel: 'debian:5.10', fs: 'ext4', onDisks: false, udev: false },
  { kernel: 'debian:6.12', fs: 'xfs', onDisks: true, udev: false },
  { kernel: 'debian:7.2', fs: 'xfs', onDisks: false, udev: true },
] as const) {
  const where = onDisks ? 'block devices' : 'loop files';
  const title = `all of the suite on ${kernel}, ${fs} on ${where}, ${udev ? 'with' : 'without'} udev`;
  test(title, { timeout: 2 * HOUR, skip }, async () => {
    const disks = onDisks ? { disks: [8192 * MIB, 64 * MIB] } : {};
    const request = { kernel, ...disks, ...(udev ? { with: ['systemd'] as const } : {}) };
    const said = await runThere(request, suite([`dm.fs=${fs}`], '--full', onDisks));
    assert.match(said, / 0 failed, 2 excused\n/);
    if (!onDisks) assert.match(said, /\nthin_check of [1-9]\d* pools\n/);
  });
}

test('a device that goes while it is asked something is gone, whatever the kernel answers', {
  timeout: HOUR,
  skip,
}, async () => {
  const { said } = await succeedsInMachine({
    kernel: 'debian:6.1',
    disks: [256 * MIB],
    cpus: 2,
    command: ['node', '-', '100'],
    stdin: onceText(guestProgram(`${import.meta.dirname}/devicemapper/vanishing.ts`)),
    timeoutMs: HOUR,
  });
  assert.match(said, /^there [1-9]\d*, gone [1-9]\d*\n$/);
});

test('containers, sizes, removal of what is in use, and roots that are only looked at', {
  timeout: HOUR,
  skip,
}, async () => {
  await runThere({ kernel: 'debian:6.1' }, `bash ${FOLDER}/engine.sh`);
});

test('a full pool fails at once and goes on when it is grown', { timeout: HOUR, skip }, async () => {
  await runThere({ kernel: 'debian:6.1' }, `bash ${FOLDER}/full-pool.sh`);
});

test('what is wrong is told in one line, and nothing is changed', { timeout: HOUR, skip }, async () => {
  await runThere({ kernel: 'debian:6.1', disks: [1024 * MIB, 64 * MIB] }, `bash ${FOLDER}/bad-input.sh`);
});

test('devices that others hold or that hold something are refused, and those of a root are known again', {
  timeout: HOUR,
  skip,
}, async () => {
  const disks = [1024 * MIB, 64 * MIB, 1024 * MIB];
  await runThere({ kernel: 'debian:6.1', disks }, `bash ${FOLDER}/given-devices.sh`);
});

test('wrong devices, pools in use elsewhere and interrupted steps lose nothing', {
  timeout: HOUR,
  skip,
}, async () => {
  const disks = [1024 * MIB, 64 * MIB, 2048 * MIB];
  await runThere({ kernel: 'debian:6.1', disks }, `bash ${FOLDER}/wrong-turns.sh`);
});

test('a thin pool that LVM makes on one device, and one that was made before', {
  timeout: HOUR,
  skip,
}, async () => {
  const gigabytes = [4096 * MIB, 4096 * MIB, 4096 * MIB];
  const env = { PART, PASSED: '10' };
  const request = { kernel: 'debian:6.1', with: ['lvm', 'systemd'] as const, disks: gigabytes, env };
  await runThere(request, `bash ${FOLDER}/direct-lvm.sh`);
});

test("udev without dmsetup's rules is not waited for", { timeout: HOUR, skip }, async () => {
  await runThere({ kernel: 'debian:6.1', with: ['systemd'] }, `bash ${FOLDER}/udev-rules.sh`);
});

test('LVM makes its nodes itself where nobody else does', { timeout: HOUR, skip }, async () => {
  const script = `vgcreate v /dev/lab/disk1 && lvcreate -q -L 300M -T v/p -V 1G -n t && mkfs.ext4 -q /dev/v/t`;
  await runThere({ kernel: 'debian:6.1', with: ['lvm'], disks: [1024 * MIB] }, script);
});

test("Docker's roots open here, and ours in Docker", { timeout: HOUR, skip }, async () => {
  await runThere(
    { kernel: 'debian:6.1', with: ['docker', 'systemd'] },
    `bash ${FOLDER}/../docker-roots.sh devicemapper /store dm.basesize=1G`,
  );
});
