/**
 * `size` of containers, in a machine whose kernel has project quotas: this one need not. In a full run; that a size is
 * refused where nothing keeps it, every run tests (test/drivers/registry.test.ts).
 */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { FULL } from '../helpers/scope.ts';
import { guestProgram, onceText } from './guest-program.ts';
import { succeedsInMachine } from './in-machine.ts';

const MIB = 1024 * 1024;

/** Without CAP_SYS_RESOURCE, which ext4 lets pass its limits and a container does not have. */
const SCRIPT = `set -eu
cat >/run/checks.js
modprobe quota_v2 || true
mkdir -p /mnt/xfs /mnt/ext4
mkfs.xfs -q /dev/lab/disk1 && mount -o pquota /dev/lab/disk1 /mnt/xfs
mkfs.ext4 -q -O quota,project /dev/lab/disk2 && mount -o prjquota /dev/lab/disk2 /mnt/ext4
for kind in xfs ext4; do echo "$kind $(setpriv --bounding-set=-sys_resource node /run/checks.js /mnt/$kind)"; done
for kind in xfs ext4; do
  limited="tsengine --data-root /mnt/$kind/root --storage-driver overlay2"
  tar -c -C /usr/bin busybox | $limited import - box >/dev/null
  echo "$kind $($limited run --rm --network none --storage-opt size=8M box /busybox sh -c '/busybox dd if=/dev/zero of=/filled bs=1M count=32 2>/dev/null || echo full' 2>&1)"
done
`;

test('overlay2 and vfs keep size= on xfs and ext4', {
  timeout: 1_200_000,
  skip: FULL ? false : 'npm run test:full',
}, async () => {
  const { stdout, said } = await succeedsInMachine({
    command: ['sh', '-c', SCRIPT],
    stdin: onceText(guestProgram(resolve(import.meta.dirname, 'quota-checks.ts'))),
    disks: [512 * MIB, 512 * MIB],
    timeoutMs: 1_200_000,
  });
  assert.deepEqual(
    stdout.split('\n').filter((line) => /^(xfs|ext4) /.test(line)),
    ['xfs ok', 'ext4 ok', 'xfs full', 'ext4 full'],
    said,
  );
});
