/** Stores of zfs-fuse that meet trouble: a disk that becomes full, a daemon that died, checks that are interrupted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LAUNCHER, NO_ZFS_FUSE, withZfsFuse } from '../helpers/zfs-fuse.ts';

const MIB = 1024 * 1024;

test('a store of driver setup has its space at once where the disk has it, and is written when that is full', {
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

test('a store whose daemon died, and of which the kernel remembers nothing, comes back, and can be taken away', {
  skip: NO_ZFS_FUSE ?? false,
}, () => {
  const { status, stdout, stderr } = withZfsFuse(
    `t() { tsengine --data-root "$PWD/r" --exec-root /run/x "$@"; }
set -e
daemon() { rm -f /run/zfs.pid; sleep 0.5; zfs-fuse --enable-xattr --no-kstat-mount -a 0.1 --pidfile /run/zfs.pid 2>/dev/null; }
died() { kill -9 $(pgrep -x zfs-fuse); while stat r/zfs >/dev/null 2>&1; do sleep 0.1; done; }
daemon
t driver setup zfs --size 256m >/dev/null
mkdir tree; echo kept >tree/kept; tar -C tree -cf tree.tar .
t -s zfs import tree.tar tree >/dev/null
died
t driver ls --format '{{.Name}}: {{.Notes}}' | grep '^zfs'
t -s zfs images --format '{{.Repository}}'
kill -9 $(pgrep -x zfs-fuse); umount -l r/zfs
daemon
t -s zfs images -q >/dev/null
died
t driver teardown --force zfs 2>/dev/null
ls r/tsengine/stores; grep -c fuse.zfs /proc/self/mountinfo || true
`,
    { bare: true },
  );
  assert.equal(status, 0, stderr);
  const [listed = '', ...rest] = stdout.split('\n');
  assert.match(
    listed,
    /^zfs: store of 256MiB, made by driver setup; the daemon that served it died: the next command/,
  );
  assert.deepEqual(rest, ['tree', 'zfs', '0', '']);
});

test('driver check that is interrupted leaves no layer in a store', { skip: NO_ZFS_FUSE ?? false }, () => {
  const { status, stdout, stderr } = withZfsFuse(
    `set -e
t() { tsengine --data-root "$PWD/r" --exec-root /run/x "$@"; }
t driver setup zfs --size 256m >/dev/null
touch said
"${LAUNCHER}" --data-root "$PWD/r" --exec-root /run/x driver check zfs >said & check=$!
while [ $(wc -l <said) -lt 3 ]; do sleep 0.2; done
# As timeout(1) does it.
kill -TERM $check; kill -TERM $check
wait $check || echo $?
zfs list -H -o name | wc -l; ls -A r/zfs
`,
    { bare: true },
  );
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout.split('\n'), ['143', '1', '']);
});
