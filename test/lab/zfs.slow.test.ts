/** Machines with OpenZFS, and with udev, without which zpool finds no partitions: the one that Debian has for the kernel, 2.0 for 5.10, 2.1 for 6.1, newer for 6.12 and sid. In a full run: it is compiled first. The driver keeps its promises there, and what else only OpenZFS can show is in zfs-checks.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FULL } from '../helpers/scope.ts';
import { succeedsInMachine } from './in-machine.ts';

const MIB = 1024 * 1024;

const SCRIPT = `set -eu
zfs version | tail -n 1
zpool create -f -m /tank tank "$(readlink -f /dev/lab/disk1)"
zfs create -o mountpoint=legacy tank/base
mount -t zfs tank/base /mnt && echo one >/mnt/file && umount /mnt
zfs snapshot tank/base@made && zfs clone -o mountpoint=legacy tank/base@made tank/clone
mount -t zfs tank/clone /mnt && cat /mnt/file
zfs snapshot tank/clone@before && echo two >/mnt/file && sync
zfs diff tank/clone@before tank/clone | cut -f 1 | sort -u
umount /mnt
tar -c -C /usr/bin busybox | tsengine --data-root /tank/root --storage-driver vfs import - box >/dev/null
tsengine --data-root /tank/root --storage-driver vfs run --rm --network none box /busybox echo on zfs
zpool destroy tank
`;

for (const { kernel, version } of [
  { kernel: 'debian:5.10', version: /^zfs-kmod-2\.0\./ },
  { kernel: 'debian:6.1', version: /^zfs-kmod-2\.1\./ },
  { kernel: 'debian:6.12', version: /^zfs-kmod-2\.([3-9]|\d\d)/ },
  { kernel: 'debian:7.2', version: /^zfs-kmod-2\.([4-9]|\d\d)/ },
])
  test(`OpenZFS on ${kernel}`, { timeout: 7_200_000, skip: FULL ? false : 'npm run test:full' }, async () => {
    const { stdout, said } = await succeedsInMachine({
      kernel,
      with: ['zfs', 'systemd'],
      command: ['sh', '-c', SCRIPT],
      disks: [512 * MIB],
      timeoutMs: 1_200_000,
    });
    const [first = '', ...rest] = stdout.trim().split('\n');
    assert.match(first, version);
    assert.deepEqual(rest, ['one', 'M', 'on zfs'], said);
  });

/** The suite in full, in a machine: 1 000 histories alone take two hours. */
const LONGEST = 6 * 3_600_000;

const POOL = 'zpool create -f -m /tank tank "$(readlink -f /dev/lab/disk1)"';

for (const { name, kernel, work } of [
  {
    name: 'the suite',
    kernel: 'debian:6.1',
    work: 'tsengine driver check zfs --full --data-root /tank/root',
  },
  {
    // Those left out take two hours and more in a machine, and 6.1 has them.
    name: 'the suite but for 985 of the histories and the 500 layers',
    kernel: 'debian:6.12',
    work: "tsengine driver check zfs --full --only '^(?!.* more random histories|a container stands on 500 )' --data-root /tank/root",
  },
  {
    name: 'what only OpenZFS can show',
    kernel: 'debian:6.1',
    work: 'zfs create tank/checks && node /opt/tsengine/test/lab/zfs-checks.ts tank/checks /tank/checks',
  },
])
  test(`the zfs driver on ${kernel}: ${name}`, {
    timeout: LONGEST,
    skip: FULL ? false : 'npm run test:full',
  }, async () => {
    await succeedsInMachine({
      kernel,
      with: ['zfs', 'systemd'],
      command: ['sh', '-c', `set -eu; ${POOL}; ${work}`],
      disks: [4096 * MIB],
      memory: 3072 * MIB,
      timeoutMs: LONGEST - 200_000,
    });
  });

test("Docker's roots on zfs open here, and ours in Docker", {
  timeout: 7_200_000,
  skip: FULL ? false : 'npm run test:full',
}, async () => {
  const { said } = await succeedsInMachine({
    kernel: 'debian:6.1',
    with: ['docker', 'zfs', 'systemd'],
    command: ['bash', '-c', `set -eu; ${POOL}; bash /opt/tsengine/test/lab/docker-roots.sh zfs /tank`],
    disks: [4096 * MIB],
    memory: 3072 * MIB,
    timeoutMs: 3_600_000,
  });
  assert.match(said, /^ok and leaves it to us$/m);
});
