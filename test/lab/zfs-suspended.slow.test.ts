/**
 * Pools whose disk is taken from under them, or becomes full: they wait for it for ever, and so does whoever touches them. In a full
 * run, because it needs OpenZFS.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FULL } from '../helpers/scope.ts';
import { succeedsInMachine } from './in-machine.ts';

const MIB = 1024 * 1024;

/** The disk is a linear device, which becomes one that fails. Every command must end by itself, in the given time. */
const SCRIPT = `set -eu
modprobe -a zfs dm_mod
disk=$(readlink -f /dev/lab/disk1)
table() { echo "0 $(blockdev --getsz "$disk") $1"; }
dmsetup create under --table "$(table "linear $disk 0")"
zpool create -f -m /tank tank /dev/mapper/under
here() { timeout 60 tsengine --data-root /tank/root -s zfs "$@"; }
tar -c -C /usr/bin busybox | here import - box
dmsetup suspend --noflush under
dmsetup reload under --table "$(table error)"
dmsetup resume under
(touch /tank/file; sync) >/dev/null 2>&1 &
until grep -q SUSPENDED /proc/spl/kstat/zfs/tank/state; do sleep 1; done
for command in 'info' 'images' 'run --rm box /busybox true' 'ps' '--read-only-root images' 'driver check zfs'; do
  code=0; said=$(here $command 2>&1) || code=$?
  echo "$command: $code: $said"
done
timeout 60 tsengine --data-root /tank/root driver ls
# What waits for the disk cannot be killed, and the end of this script would wait for it.
dmsetup reload under --table "$(table "linear $disk 0")"
dmsetup resume under
zpool clear tank
wait
here images -q | grep -c .
`;

test('a data root on a pool that is suspended is told of at once, by every command', {
  timeout: 3_600_000,
  skip: FULL ? false : 'npm run test:full',
}, async () => {
  const { stdout, said } = await succeedsInMachine({
    kernel: 'debian:6.1',
    with: ['zfs', 'systemd'],
    command: ['bash', '-c', SCRIPT],
    disks: [512 * MIB],
    timeoutMs: 1_200_000,
  });
  const words =
    /^(\S+)[^:\n]*: (1|125): tsengine: data root \/tank\/root: the pool tank is suspended, because its disks do not answer: bring them back, then zpool clear tank$/gm;
  const told = [...stdout.matchAll(words)].map(([, command, code]) => `${command} ${code}`);
  assert.deepEqual(told, ['info 1', 'images 1', 'run 125', 'ps 1', '--read-only-root 1', 'driver 125'], said);
  assert.match(stdout, /^overlay2 +unsupported +the pool tank is suspended/m);
  // And when the disk is back, all is there.
  assert.match(stdout, /\n1\n$/);
});

/** A store whose disk becomes full. What `finds` says of it is where it is mounted, and whether its file and its record are there. */
const STORE = `set -eu
modprobe -a zfs loop
mkdir /disk
mkfs.ext4 -q -m 0 "$(readlink -f /dev/lab/disk1)"; mount "$(readlink -f /dev/lab/disk1)" /disk
here() { timeout 120 tsengine --data-root /disk/r --exec-root /run/x "$@"; }
say() { code=0; said=$(here "$@" 2>&1) || code=$?; echo "$*: $code: $said"; }
finds() { grep -c ' - zfs tsengine-' /proc/self/mountinfo || true; ls /disk/r/tsengine/stores/zfs | xargs; }
here driver setup zfs --size 1g >/dev/null
tar -c -C /usr/bin busybox | here -s zfs import - box >/dev/null
pool=$(zpool list -H -o name)
dd if=/dev/zero of=/disk/filled bs=1M 2>/dev/null || true
(dd if=/dev/urandom of=/disk/r/zfs/large bs=1M count=32; sync) >/dev/null 2>&1 &
until grep -q SUSPENDED /proc/spl/kstat/zfs/$pool/state; do sleep 1; done
say driver teardown zfs
say driver teardown --force zfs
finds
rm /disk/filled
zpool clear $pool
wait
say -s zfs images -q | sed 's/: [0-9a-f]*$/: ID/'
zpool=$(readlink -f "$(command -v zpool)")
mount --bind /dev/null "$zpool"
say driver teardown --force zfs
finds
umount "$zpool"
say driver teardown --force zfs
finds 2>/dev/null
zpool list -H | wc -l
`;

test('a store that driver setup made, on a pool that is suspended, is not taken away, and says so; nor is one without the tools', {
  timeout: 3_600_000,
  skip: FULL ? false : 'npm run test:full',
}, async () => {
  const { stdout, said } = await succeedsInMachine({
    kernel: 'debian:6.1',
    with: ['zfs', 'systemd'],
    command: ['bash', '-c', STORE],
    disks: [512 * MIB],
    timeoutMs: 1_200_000,
  });
  const stopped =
    /: 1: (WARNING: .*\n)*tsengine: the pool of zfs at \/disk\/r\/zfs has stopped: only \S+ are left on the disk of \/disk\/r\/tsengine\/stores\/zfs\/image, which driver setup made for zfs: make room there, 16MiB at least, and run zpool clear tsengine-\w+; or restart the machine, then \S+ --data-root \/disk\/r --exec-root \/run\/x driver teardown( --force)? zfs$/;
  const there = '\\n1\\nimage lock store.json\\n';
  assert.match(stdout, new RegExp(`^driver teardown zfs${stopped.source}`, 'm'), said);
  assert.match(stdout, new RegExp(`^driver teardown --force zfs${stopped.source}${there}`, 'm'), said);
  assert.match(stdout, /^-s zfs images -q: 0: ID$/m, said);
  assert.match(
    stdout,
    new RegExp(
      `^driver teardown --force zfs: 1: .*the pool of zfs at /disk/r/zfs cannot be detached: zfs needs the program zpool: install .*; then .* driver teardown --force zfs${there}`,
      'ms',
    ),
    said,
  );
  assert.match(stdout, /\ndriver teardown --force zfs: 0: zfs\n0\n\n0\n$/, said);
});
