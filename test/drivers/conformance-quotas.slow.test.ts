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
});
