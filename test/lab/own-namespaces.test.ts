import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { inOwnNamespaces } from '../../src/lab/matrix/own-namespaces.ts';
import { MNT_DETACH, mount, unmount } from '../../src/linux/mount.ts';
import { findMountAt, parseMountInfo } from '../../src/linux/mountinfo.ts';

function folder(): Disposable & { readonly path: string } {
  const path = realpathSync(mkdtempSync(`${tmpdir()}/own namespaces-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function output([program = '', ...args]: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'latin1' });
}

/** On a machine with mounts that are shared, as systemd makes them: `$1` is a folder, the others start a command in namespaces of its own. */
const SHARED = `set -eu
mount --make-rshared /
cd "$1"; shift
mkdir outside inside
mount -t tmpfs none outside
"$@" & child=$!
while [ ! -e ready ]; do sleep 0.05; done
grep -c "/inside " /proc/self/mountinfo || true
umount outside
touch go
wait $child`;

/** What is done in there. */
const INSIDE = `set -eu
grep -c "/outside " /proc/self/mountinfo
mount -t tmpfs none inside
touch ready
while [ ! -e go ]; do sleep 0.05; done
grep -c "/outside " /proc/self/mountinfo || true`;

test('what is unmounted outside is gone in there, and what is mounted in there is not seen outside', () => {
  using place = folder();
  const words = inOwnNamespaces('"$@"; exit $?', ['sh', '-c', INSIDE]);
  // A namespace that is shared with nobody, so that nothing is mounted for others.
  const outer = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', SHARED, 'sh', place.path];
  assert.deepEqual(
    output([...outer, ...words])
      .trim()
      .split('\n'),
    ['1', '0', '0'],
  );
});

test('stores of data roots are not mounted in there, but for the one that is needed', () => {
  using place = folder();
  const { path } = place;
  mkdirSync(`${path}/tsengine`);
  writeFileSync(`${path}/tsengine/version.json`, '{"version":1}');
  const points = [`${path}/btrfs`, `${path}/devicemapper/mnt/a`, `${path}/other`];
  for (const target of points) {
    mkdirSync(target, { recursive: true });
    mount({ source: 'none', target, type: 'tmpfs' });
  }
  try {
    const seen = (needed: readonly string[]) => {
      const text = output(inOwnNamespaces('exec "$@"', ['cat', '/proc/self/mountinfo'], needed));
      const mounts = parseMountInfo(text);
      assert.ok(mounts.every(({ propagation }) => !propagation.some((word) => word.startsWith('shared:'))));
      return points.map((point) => findMountAt(point, mounts) !== undefined);
    };
    assert.deepEqual(seen([]), [false, false, true]);
    assert.deepEqual(seen([`${path}/btrfs`]), [true, false, true]);
    for (const point of points) assert.notEqual(findMountAt(point), undefined);
  } finally {
    for (const point of points) unmount(point, MNT_DETACH);
  }
});

test('a command that fails ends so, and has its words as they are', () => {
  const [program = '', ...args] = inOwnNamespaces('"$@"; exit $?', ['sh', '-c', 'exit "$1"', 'sh', '7']);
  assert.throws(() => execFileSync(program, args), { status: 7 });
  assert.equal(output(inOwnNamespaces('exec "$@"', ['printf', '%s|', 'a b', '--', "c'd"])), "a b|--|c'd|");
});
