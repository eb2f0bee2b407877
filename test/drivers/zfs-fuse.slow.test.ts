/** zfs by zfs-fuse, for kernels without the module: the suite, and what is the daemon's alone. OpenZFS: test/lab/zfs.slow.test.ts. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { CHECKS, type Check } from '../../src/drivers/conformance/index.ts';
import { SendStream } from '../../src/drivers/zfs/send-stream.ts';
import { FULL } from '../helpers/scope.ts';
import { LAUNCHER, NO_ZFS_FUSE, withZfsFuse } from '../helpers/zfs-fuse.ts';

/** What a daemon and its commands do otherwise than the kernel. A full run takes all that is not slow. */
const BRIEF =
  /^times keep|^extended attributes of every|cost what changed|^a change of the second|^every kind of file|^a layer that leaves as|^a layer (that is in use is|on which another)|^a removed layer|^creating an id|^a quota|^what (status|metadata) says|^what another process|^a mount is counted|^cleanup unmounts|^a layer that was in use is whole|^a tar that leads/;

const isTaken = ({ name, slow = false }: Check): boolean => (FULL ? !slow : BRIEF.test(name));

/** An outcome, as `driver check --json` tells it. */
interface Line {
  readonly check: string;
  readonly state: string;
  readonly reason?: string;
}

describe('zfs by zfs-fuse keeps the promises of driver.ts', { skip: NO_ZFS_FUSE ?? false }, () => {
  let said = '';
  const lines = new Map<string, Line>();
  before(() => {
    const only = FULL ? '' : `--only '${BRIEF.source}'`;
    const { stdout, stderr } = withZfsFuse(`tsengine driver check zfs --data-root root/d --json ${only}`);
    said = stderr;
    for (const text of stdout.split('\n').filter((line) => line.startsWith('{'))) {
      const line: Line = JSON.parse(text);
      lines.set(line.check, line);
    }
  });
  for (const check of CHECKS.filter(isTaken))
    test(check.name, (t) => {
      const line = lines.get(check.name);
      if (line?.state === 'excused') return t.skip(line.reason);
      assert.equal(line?.state, 'ok', line?.reason ?? said);
    });
});

describe('the daemon of zfs-fuse', { skip: NO_ZFS_FUSE ?? false }, () => {
  test('is named by driver ls and info, and serves containers', () => {
    const { stdout, stderr } = withZfsFuse(`
tsengine --data-root root/d driver ls | grep '^zfs'
tsengine --data-root root/d --exec-root /run/x info | grep Backend
tar -c -C /usr/bin busybox | tsengine --data-root root/d --exec-root /run/x import - box >/dev/null
tsengine --data-root root/d --exec-root /run/x run --name one --network none box /busybox sh -c '/busybox mkdir /made && echo on zfs'
tsengine --data-root root/d --exec-root /run/x diff one
tsengine --data-root root/d --exec-root /run/x rm one
zfs list -H -o name -t snapshot | wc -l
`);
    const [listed = '', backend = '', ...rest] = stdout.trim().split('\n');
    assert.match(listed, /^zfs +supported +zfs-fuse \(FUSE\), because this kernel has no module of OpenZFS/);
    assert.match(backend, /Backend: zfs-fuse \(FUSE\)/);
    assert.deepEqual(rest.slice(0, 2), ['on zfs', 'A /made'], stderr);
  });

  test('without extended attributes is refused: file capabilities would get lost', () => {
    const { stderr } = withZfsFuse(`kill "$(cat /run/zfs.pid)"
while kill -0 "$(cat /run/zfs.pid)" 2>/dev/null; do sleep 0.1; done
rm /run/zfs.pid; start
zpool import -d "$PWD" -o cachefile=none pool
tsengine -s zfs --data-root root/d --exec-root /run/x info
ln -s root link
tsengine --data-root link/new driver ls | grep '^zfs ' >&2`);
    // The second of a root that will be below a symbolic link to the pool.
    assert.match(
      stderr,
      /^(.*zfs-fuse was started without extended attributes, and layers would lose file capabilities: put "enable-xattr" into \/etc\/zfs\/zfsrc.*\n){2}$/,
    );
  });

  test('that died is said to have, in one line, and serves again when it was started', () => {
    const { stdout, stderr } = withZfsFuse(`
tsengine -s zfs --data-root data --exec-root /run/x --storage-opt zfs.fsname=pool info >/dev/null
kill -9 "$(cat /run/zfs.pid)"; sleep 0.5
tsengine -s zfs --data-root root/d --exec-root /run/y info
tsengine -s zfs --data-root data --exec-root /run/x --storage-opt zfs.fsname=pool info
umount -l root; rm /run/zfs.pid; start --enable-xattr; zpool import -d "$PWD" -o cachefile=none pool
tsengine -s zfs --data-root data --exec-root /run/x --storage-opt zfs.fsname=pool info | grep 'Zpool Health'
`);
    const [mount = '', pool = ''] = stderr.trim().split('\n');
    assert.match(
      mount,
      /data root \/\S+\/root\/d is on \/\S+\/root, and the FUSE daemon that served it died: umount -l \/\S+\/root, start/,
    );
    assert.match(pool, /the zfs-fuse daemon does not run, or died: start it/);
    assert.match(stdout, /Zpool Health: ONLINE/);
  });

  test('whose pool was exported has lost no layer, and one is not taken for removed', () => {
    const module = new URL('../../src/drivers/zfs/fuse-datasets.ts', import.meta.url).href;
    const { status, stdout, stderr } = withZfsFuse(`set -e
remove() { '${process.execPath}' --disable-warning=ExperimentalWarning --input-type=module -e '
import { FuseDatasets } from "${module}";
const datasets = new FuseDatasets("pool/named", "/nowhere");
await datasets.destroy("layer").then(console.log, ({ code, message }) => console.log(code, message));
'; }
zfs create pool/named; zfs create -o canmount=noauto pool/named/layer
zpool export pool
remove
zpool import -d "$PWD" -o cachefile=none pool
zfs list -H -o name pool/named/layer
remove; remove
`);
    assert.equal(status, 0, stderr);
    const [gone = '', ...rest] = stdout.trim().split('\n');
    assert.match(gone, /^Unavailable zfs: there is no dataset pool\/named: zpool import pool, zfs create /);
    assert.deepEqual(rest, ['pool/named/layer', '[]', '[]']);
  });

  test('with a pool that is full to the last block refuses in one line, frees, and serves again', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `set -e
zfs-fuse --enable-xattr --no-kstat-mount --pidfile /run/zfs.pid 2>/dev/null
truncate -s 128M image
zpool create -o cachefile=none -m "$PWD/root" pool "$PWD/image" 2>/dev/null
t() { tsengine --data-root "$PWD/data" --exec-root /run/x -s zfs --storage-opt zfs.fsname=pool "$@"; }
box() { tar -c -C /usr/bin busybox | t import - "$1" >/dev/null; }
all() { zfs list -H -o name -t all | sort; }
box box
t run --name fills --network none box /busybox sh -c '/busybox dd if=/dev/urandom of=/filled bs=65536 2>/said; echo dd $?'
sync; all >before
t create --network none box /busybox true || echo create $?
box again || echo import $?
t run --rm --network none box /busybox true || echo run $?
all | cmp - before
t rm fills >/dev/null
t run --rm --network none box /busybox echo works
box again
t rmi box again >/dev/null
all
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n'), ['dd 1', 'create 1', 'import 1', 'run 125', 'works', 'pool']);
    const lines = stderr.trim().split('\n');
    assert.equal(lines.length, 3, stderr);
    for (const line of lines)
      assert.match(line, /^tsengine: zfs: cannot make layer .*no space left on device: remove images/);
  });

  test('of a store that driver setup made is started for it, again after it died, and ended with it', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `set -e
t() { tsengine --data-root "$PWD/data" --exec-root /run/x "$@"; }
t driver setup zfs --size 512m
t -s zfs info | grep -o 'Backend: zfs-fuse'
t -s zfs import /dev/null a >/dev/null
pid=$(cat /run/zfs/tsengine.pid)
kill -9 $pid; sleep 0.5
t -s zfs images -q | wc -l
! grep -q "^$pid$" /run/zfs/tsengine.pid
t driver teardown --force zfs
! pgrep -x zfs-fuse
ls /run/zfs
grep -c fuse.zfs /proc/mounts || true
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    const lines = stdout.trim().split('\n');
    assert.ok(lines.includes('Backend: zfs-fuse'), stdout);
    // Neither its pid nor its socket is left.
    assert.deepEqual(lines.slice(-3), ['zfs', 'tsengine.lock', '0'], stdout);
  });

  test('has a store taken away without --force when nothing is in it any more, and not while an image is', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `set -e
t() { tsengine --data-root "$PWD/data" --exec-root /run/x "$@"; }
t driver setup zfs --size 512m >/dev/null
t driver ls | grep '^zfs'
tar -c -C /usr/bin busybox | t -s zfs import - box >/dev/null
! t driver teardown zfs
t -s zfs rmi box >/dev/null
ls -A data/zfs | xargs
t driver teardown zfs
ls data
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^tsengine: zfs holds images or containers in .*--force zfs\n$/);
    const [store = '', left = '', ...rest] = stdout.trim().split('\n');
    assert.match(store, /^zfs +supported +store of 512MiB, made by driver setup; zfs-fuse/);
    assert.match(left, /graph/);
    assert.equal(rest[0], 'zfs');
    assert.ok(!rest.slice(1).includes('zfs'), stdout);
  });

  test('of a store that is attached in another mount namespace: that is named, and never the daemon; it comes when nobody is there', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `set -e
t() { tsengine --data-root "$PWD/data" --exec-root /run/x "$@"; }
t driver setup zfs --size 512m >/dev/null
zpool export $(zpool list -H -o name); kill $(cat /run/zfs/tsengine.pid)
while pgrep -x zfs-fuse >/dev/null; do sleep 0.1; done
(exec unshare -m sh -c '"$@" >/dev/null; touch attached; exec sleep 600' sh \\
  "$LAUNCHER" --data-root "$PWD/data" --exec-root /run/x -s zfs info) & unit=$!
while [ ! -e attached ]; do sleep 0.1; done
echo unit $unit >&2
! t -s zfs info
! t driver teardown zfs
kill $unit; { wait $unit || true; } 2>/dev/null
pgrep -c -x zfs-fuse
t -s zfs info | grep -o 'Backend: zfs-fuse'
grep -c '/data/zfs .*fuse.zfs' /proc/self/mountinfo
t driver teardown zfs
! pgrep -x zfs-fuse
`.replaceAll('$LAUNCHER', LAUNCHER),
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    const [first = '', ...told] = stderr.trim().split('\n');
    const [, unit] = /^unit (\d+)$/.exec(first) ?? [];
    const words = new RegExp(
      `^tsengine: the store of zfs at /\\S+/data/zfs is attached in another mount namespace, that of process ${unit} \\(sleep 600\\): stop what works there, or work there as well \\(nsenter --target ${unit} --mount tsengine --data-root /\\S+ --exec-root /run/x -s zfs …\\)$`,
    );
    assert.equal(told.length, 2, stderr);
    for (const line of told) assert.match(line, words);
    assert.deepEqual(stdout.trim().split('\n'), ['1', 'Backend: zfs-fuse', '1', 'zfs']);
  });

  test('of a store in use in another mount namespace is no holder of it, and the store can be taken away from outside', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `set -e
t() { tsengine --data-root "$PWD/data" --exec-root /run/x "$@"; }
(exec unshare -m sh -c '"$@" driver setup zfs --size 512m >/dev/null; >data/zfs/held; touch attached; exec sleep 600 <data/zfs/held' sh \\
  "$LAUNCHER" --data-root "$PWD/data" --exec-root /run/x) & unit=$!
while [ ! -e attached ]; do sleep 0.1; done
sleep 0.5
! t driver teardown --force zfs
kill $unit; { wait $unit || true; } 2>/dev/null
t driver teardown zfs
! pgrep -x zfs-fuse
`.replaceAll('$LAUNCHER', LAUNCHER),
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    assert.match(
      stderr,
      /^WARNING: containers of zfs may stay on record: the store of zfs at .* is attached in another .*\ntsengine: \/\S+\/data\/zfs is in use: stop what works in it \(process \d+ \(sleep 600\)\), containers first, .*\n$/,
    );
    assert.deepEqual(stdout.trim().split('\n'), ['zfs']);
  });

  test('of stores that are made and taken away at once ends with the last one, and not before', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `t() { r=$1; shift; tsengine --data-root "$PWD/$r" --exec-root "/run/$r" "$@"; }
set -e
for turn in 1 2 3; do
  t a driver setup zfs --size 256m >/dev/null
  t a driver teardown zfs & b=$!
  t b driver setup zfs --size 256m >/dev/null
  wait $b
  t b driver teardown zfs
done
! pgrep -x zfs-fuse
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'zfs\n'.repeat(6));
  });

  test('of a store in a folder whose name is not ASCII, of one that was moved, and of one that is damaged', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `t() { r=$1; shift; tsengine --data-root "$PWD/$r" --exec-root "/run/$r" -s zfs "$@"; }
set -e
detach() { zpool export $(zpool list -H -o name); }
mkdir -p tree/bin; cp /bin/busybox tree/bin/; tar -C tree -cf tree.tar .
t ä driver setup zfs --size 256m >/dev/null
t ä import tree.tar tree >/dev/null
t ä run --rm tree /bin/busybox echo runs
detach; mv ä b
t b images -q >/dev/null 2>told && exit 1
cat told >&2
sh -c "$(sed 's/.* to this one with //' told)"
t b images --format '{{.Repository}}'
detach; mount -t tmpfs none b/zfs; touch b/zfs/mine
! t b driver teardown zfs
umount b/zfs
! t b driver teardown zfs
detach; truncate -s 0 b/tsengine/stores/zfs/image; truncate -s 256M b/tsengine/stores/zfs/image
! t b images
t b driver teardown --force zfs 2>/dev/null
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n'), ['runs', 'tree', 'zfs']);
    const words = [
      /stores\/zfs\/image, which driver setup made for zfs, has the pool of a data root in another place \(tsengine-\w+\): move the data root back there, or give the pool to this one with zpool import -f -d \S+\/b\/tsengine\/stores\/zfs -o cachefile=none tsengine-\w+ tsengine-\w+; zfs set mountpoint=\S+\/b\/zfs tsengine-\w+$/,
      /another file system is mounted at \S+\/b\/zfs, where the store of zfs that driver setup made is to be: umount \S+\/b\/zfs$/,
      /zfs holds images or containers in /,
      /stores\/zfs\/image, which driver setup made for zfs, has no pool that can be attached: it is damaged, or a copy of one that is attached: put it back .* driver teardown --force zfs$/,
    ];
    const told = stderr.trim().split('\n');
    assert.equal(told.length, words.length, stderr);
    for (const [at, pattern] of words.entries()) assert.match(told[at] ?? '', pattern);
  });

  test('of a store whose disk a container fills says so, and the store can be given up', {
    skip: FULL
      ? false
      : 'it waits for a minute: npm run test:full; a disk that is full before anything is begun is tried above',
  }, () => {
    const { status, stdout, stderr } = withZfsFuse(
      `t() { tsengine --data-root "$PWD/disk/r" --exec-root /run/x "$@"; }
set -e
mkdir disk; truncate -s 160M d.img; mkfs.ext4 -q d.img; mount -o loop d.img disk
t driver setup zfs --size 1g >/dev/null
mkdir -p tree/bin; cp /bin/busybox tree/bin/; tar -C tree -cf tree.tar .
t -s zfs import tree.tar tree >/dev/null
t -s zfs run -d --name filler tree /bin/busybox dd if=/dev/urandom of=/big bs=1M count=300 >/dev/null
while [ $(stat -fc %a disk) != 0 ]; do sleep 0.5; done
! t driver teardown --force zfs
t driver ls | grep -c '^zfs .* only 0B are left\\|^zfs .* currently suspended'
kill -9 $(pgrep -x zfs-fuse)
t driver teardown --force zfs 2>/dev/null
ls disk/r/tsengine/stores; grep -c fuse.zfs /proc/self/mountinfo || true
t -s vfs ps -aq; pgrep -c busybox || true
[ $(stat -fc %a disk) -gt 20000 ]
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    assert.match(
      stderr,
      /\ntsengine: the pool of zfs at \S+\/zfs has stopped: only \S+ are left on the disk of \S+\/image, which driver setup made for zfs: make room there, 16MiB at least, and run zpool clear tsengine-\w+; or give up all that zfs-fuse serves with kill -9 \d+, then tsengine .* driver teardown --force zfs\n$/,
    );
    assert.deepEqual(stdout.split('\n'), ['1', 'zfs', '0', '0', '']);
  });

  test('beside a daemon that serves other pools in another mount namespace none is made: that one is named', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `set -e
t() { tsengine --data-root "$PWD/data" --exec-root /run/x "$@"; }
truncate -s 512M other
(exec unshare -m sh -c 'zfs-fuse --enable-xattr --no-kstat-mount --pidfile /run/zfs.pid 2>/dev/null
zpool create -o cachefile=none -m "$PWD/root" other "$PWD/other" 2>/dev/null; touch ready; exec sleep 600') & unit=$!
while [ ! -e ready ]; do sleep 0.1; done
daemon=$(pgrep -x zfs-fuse); echo daemon $daemon >&2
! t driver setup zfs --size 512m
ls data data/tsengine/stores; zpool list -H -o name
nsenter --target $daemon --mount zpool export other; kill $daemon
while pgrep -x zfs-fuse >/dev/null; do sleep 0.1; done
kill $unit; { wait $unit || true; } 2>/dev/null
t driver setup zfs --size 512m >/dev/null
t driver teardown zfs
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    const [first = '', ...told] = stderr.trim().split('\n');
    const [, daemon] = /^daemon (\d+)$/.exec(first) ?? [];
    assert.equal(told.length, 1, stderr);
    assert.match(
      told[0] ?? '',
      new RegExp(
        `^tsengine: zfs: zfs-fuse \\(process ${daemon}\\) was started in another mount namespace, and would mount /\\S+/data/zfs there: detach its other pools \\(nsenter --target ${daemon} --mount zpool export …\\) and end it$`,
      ),
    );
    assert.equal(stdout, 'data:\ntsengine\n\ndata/tsengine/stores:\nother\nzfs\n');
  });

  test('driver check without a store says how to have one, as driver ls does', () => {
    const { status, stderr } = withZfsFuse('tsengine driver check zfs --data-root "$PWD/data"', {
      bare: true,
    });
    assert.equal(status, 125);
    assert.match(
      stderr,
      /^tsengine: zfs keeps layers as datasets, and .*zfs\.fsname=POOL\/NAME; or have a store for it on a file: tsengine --data-root \/\S+\/data driver setup zfs\n$/,
    );
  });

  test('waits for room on the disk of a store that driver setup made; where there is none nothing is begun, and it can be taken away', () => {
    const { status, stdout, stderr } = withZfsFuse(
      `set -e
t() { tsengine --data-root "$PWD/disk/r" --exec-root /run/x "$@"; }
mkdir disk; truncate -s 60M d.img; mkfs.ext4 -q d.img; mount -o loop d.img disk
t driver setup zfs --size 10g >/dev/null
head -c 30M /dev/urandom >large; tar -cf large.tar large
dd if=/dev/zero of=disk/full bs=1M count=20 2>/dev/null
t -s zfs import large.tar large >/dev/null &
sleep 8; kill -0 $!; rm disk/full; wait $!
dd if=/dev/zero of=disk/full bs=1M 2>/dev/null || true
! t -s zfs import large.tar again
t driver ls | grep '^zfs'
! t driver teardown zfs
t driver teardown --force zfs
ls disk/r/tsengine/stores
`,
      { bare: true },
    );
    assert.equal(status, 0, stderr);
    const short =
      /only \S+B are left on the disk of \/\S+\/stores\/zfs\/image, which driver setup made for zfs: make room there, 16MiB at least/;
    const [ls = '', ...rest] = stdout.trim().split('\n');
    assert.match(
      ls,
      new RegExp(`^zfs +supported +store of 10GiB, made by driver setup; ${short.source}; zfs-fuse`),
    );
    assert.deepEqual(rest, ['zfs']);
    const [large = '', first = '', second = '', third = '', ...others] = stderr.trim().split('\n');
    assert.match(large, /^WARNING: the disk of the data root has \S+B left, /);
    assert.match(first, new RegExp(`^tsengine: ${short.source}$`));
    assert.match(second, /^tsengine: zfs holds images or containers/);
    assert.match(third, new RegExp(`^WARNING: ${short.source}; taking the store away may wait for that$`));
    assert.deepEqual(others, []);
  });
});

test('a send stream, of zfs-fuse as of OpenZFS, tells what changed, and not what is stored beside it', {
  skip: NO_ZFS_FUSE ?? false,
}, () => {
  const { stdout, stderr } = withZfsFuse(`set -e
zfs create pool/a; cd root/a
mkdir dir; for i in $(seq 200); do echo $i >$i; done; echo x >dir/x
sleep 4; zfs snapshot pool/a@1
zfs get -Hp -o value creation pool/a@1
echo more >>100; chmod 600 20; mv dir moved; echo new >new; rm 150; head -c 300000 /dev/urandom >large
zfs snapshot pool/a@2
stat -c %i 100 20 moved new large | xargs; stat -c %i 21 99 moved/x 101 | xargs
zfs send -i @1 pool/a@2 | base64 -w 0`);
  const [madeAt = '', changed = '', others = '', stream = ''] = stdout.split('\n');
  const numbers = (text: string): number[] => text.split(' ').map(Number);
  assert.notEqual(stream, '', stderr);
  const bytes = Buffer.from(stream, 'base64');
  for (const piece of [1, 311, 313, 65_536]) {
    const reader = new SendStream(Number(madeAt) - 2);
    for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
    assert.ok(reader.isWhole());
    assert.equal(reader.wasClockBehind(), false);
    const found = reader.changed();
    for (const object of numbers(changed)) assert.ok(found.has(object), `object ${object} is missing`);
    for (const object of numbers(others)) assert.ok(!found.has(object), `object ${object} did not change`);
    // Of what was written, appended to or new.
    const [appended = 0, mode = 0, , added = 0, large = 0] = numbers(changed);
    assert.deepEqual(
      [appended, added, large, mode, ...numbers(others)].filter((object) => reader.hasContents(object)),
      [appended, added, large],
    );
  }
  const cut = new SendStream(0);
  cut.push(bytes.subarray(0, 400));
  assert.equal(cut.isWhole(), false);
  // Times that say nothing, as of a clock that was behind: contents do, and a block that nothing explains is taken whole.
  const later = new SendStream(Number(madeAt) + 1_000_000);
  later.push(bytes);
  assert.ok(later.wasClockBehind());
  const [written = 0, mode = 0, , added = 0, large = 0] = numbers(changed);
  for (const object of [written, mode, added, large]) assert.ok(later.changed().has(object), `${object}`);
});
