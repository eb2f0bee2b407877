/** The suite's check on quotas, where overlay2 and vfs have them: in a machine, since the kernel of this one may have none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inFullRuns } from '../helpers/scope.ts';
import { succeedsInMachine } from '../lab/in-machine.ts';

const MIB = 1024 * 1024;

const SCRIPT = `set -eu
modprobe quota_v2 || true
mkdir -p /mnt/xfs /mnt/ext4
mkfs.xfs -q /dev/lab/disk1 && mount -o pquota /dev/lab/disk1 /mnt/xfs
mkfs.ext4 -q -O quota,project /dev/lab/disk2 && mount -o prjquota /dev/lab/disk2 /mnt/ext4
for kind in xfs ext4; do
  for driver in overlay2 vfs; do tsengine driver check $driver --data-root /mnt/$kind --only 'a quota is kept|a size that is none'; done
done
mkdir /tmp/tree && head -c 9M /dev/urandom >/tmp/tree/nine && echo x >/tmp/tree/x
tar -C /tmp/tree -cf /tmp/tree.tar .
for kind in xfs ext4; do
  for driver in overlay2 vfs; do
    do_it() { tsengine -s $driver --data-root "/mnt/$kind/a root of $driver" "$@"; }
    do_it import /tmp/tree.tar nine
    do_it create --storage-opt size=4M nine x && echo $kind $driver: took 4M || echo $kind $driver: refused 4M
    do_it create --storage-opt size=20M nine x && echo $kind $driver: took 20M
    do_it create --storage-opt size=0 nine x && echo $kind $driver: took 0
    [ $driver = overlay2 ] || ! do_it --storage-opt size=8M create nine x
  done
done
`;

test('overlay2 and vfs keep a quota on xfs and ext4 as the suite has it', {
  timeout: 1_200_000,
  skip: inFullRuns('that it is refused where nothing keeps it; btrfs and zfs-fuse keep it'),
}, async () => {
  const { said } = await succeedsInMachine({
    command: ['sh', '-c', SCRIPT],
    disks: [512 * MIB, 512 * MIB],
    timeoutMs: 1_200_000,
  });
  assert.equal(said.match(/^2 passed, 0 failed, 0 excused$/gm)?.length, 4, said);
  // What the image has counts on vfs alone.
  for (const kind of ['xfs', 'ext4'])
    for (const driver of ['overlay2', 'vfs']) {
      const sizes = [driver === 'vfs' ? 'refused 4M' : 'took 4M', 'took 20M', 'took 0'];
      for (const size of sizes) assert.match(said, new RegExp(`^${kind} ${driver}: ${size}$`, 'm'));
    }
  for (const size of ['4MiB', '8MiB']) {
    const line = `size=${size} leaves no room: on vfs a container is a copy of its image, which counts, and takes 9[.0-9]*MiB: give more`;
    assert.equal(said.match(new RegExp(line, 'g'))?.length, 2, said);
  }
});
