/**
 * A pool whose disk is taken from under it, which waits for it for ever, and so does whoever touches it. In a full run, because it
 * needs OpenZFS.
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
