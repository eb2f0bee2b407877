/** A store of zfs-fuse on a disk that becomes full: the daemon could not go on, and nothing that it serves either. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ZFS_FUSE, withZfsFuse } from '../helpers/zfs-fuse.ts';

const MIB = 1024 * 1024;

test('a store of driver setup has its space at once where the disk has twice as much, and is written when that is full', {
  skip: NO_ZFS_FUSE ?? false,
}, () => {
  const { status, stdout, stderr } = withZfsFuse(
    `t() { tsengine --data-root "$PWD/disk/r" --exec-root /run/x "$@"; }
set -e
mkdir disk; truncate -s 640M d.img; mkfs.ext4 -q -m 0 d.img; mount -o loop d.img disk
t driver setup zfs --size 256m >/dev/null
stat -c '%b' disk/r/tsengine/stores/zfs/image
mkdir -p tree/bin; cp /bin/busybox tree/bin/; tar -C tree -cf tree.tar .
t -s zfs import tree.tar tree >/dev/null
dd if=/dev/zero of=disk/filled bs=1M 2>/dev/null || true
stat -fc %a disk
t -s zfs run --rm --network none tree /bin/busybox sh -c '/bin/busybox dd if=/dev/urandom of=/big bs=1M count=100 2>/dev/null && /bin/busybox wc -c </big'
t driver teardown --force zfs
[ $(stat -fc %a disk) -gt 20000 ]
`,
    { bare: true },
  );
  assert.equal(status, 0, stderr);
  const [blocks = '', room, written, name] = stdout.split('\n');
  assert.ok(Number(blocks) * 512 >= 256 * MIB, blocks);
  // Less than the pool's records alone would take.
  assert.ok(Number(room) < 64, room);
  assert.deepEqual([written, name], [String(100 * MIB), 'zfs']);
});
