/** Mounts of tmpfs, overlay and binds, and what the kernel says of them. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { closeFd, O_DIRECTORY, O_PATH, openAt } from '../../src/linux/at.ts';
import {
  MNT_DETACH,
  MS_BIND,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REMOUNT,
  mount,
  openFs,
  unmount,
} from '../../src/linux/mount.ts';
import { findMountAt, findMountOf, parseMountInfo, readMountInfo } from '../../src/linux/mountinfo.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { AT_FDCWD, lstat } from '../../src/linux/stat.ts';
import { fsName, statfs } from '../../src/linux/statfs.ts';
import { unmountBelow } from '../helpers/loop.ts';

/** Whether this kernel's overlayfs takes its options one by one (Linux 6.5); before, it looks at them all when it is mounted. */
const takesOptions = atLeast(6, 5);

/** Whether it takes lower directories one by one (6.8), and by descriptor (6.13). */
const [hasLowerdirPlus, takesDescriptors] = [atLeast(6, 8), atLeast(6, 13)];

function atLeast(major: number, minor: number): boolean {
  const [first = 0, second = 0] = release().split('.').map(Number);
  return first > major || (first === major && second >= minor);
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsengine-mount-'));
  t.after(() => {
    unmountBelow(path);
    removeTree(path);
  });
  for (const name of ['a', 'b', 'c', 'work', 'merged']) mkdirSync(`${path}/${name}`);
  return path;
}

test('tmpfs with options, found and unmounted', (t) => {
  const path = folder(t);
  const target = `${path}/a`;
  mount({ source: 'none', target, type: 'tmpfs', data: 'size=1m,mode=711' });
  assert.equal(lstat(target).mode & 0o7777, 0o711);
  assert.deepEqual([fsName(statfs(target).magic), statfs(target).total], ['tmpfs', 1024 * 1024]);
  assert.equal(findMountAt(target)?.type, 'tmpfs');
  assert.equal(findMountOf(`${target}/x/y`)?.mountPoint.toString(), target);
  assert.notEqual(findMountOf(path)?.mountPoint.toString(), target);
  unmount(target);
  assert.equal(findMountAt(target), undefined);
  assert.throws(() => unmount(target), { code: 'EINVAL', message: `umount2 ${target}: invalid argument` });
});

test('overlay by mount(2)', (t) => {
  const path = folder(t);
  writeFileSync(`${path}/a/lower`, '1');
  const data = `lowerdir=${path}/a,upperdir=${path}/b,workdir=${path}/work`;
  mount({ source: 'overlay', target: `${path}/merged`, type: 'overlay', data });
  writeFileSync(`${path}/merged/upper`, '2');
  assert.deepEqual(readdirSync(`${path}/b`), ['upper']);
  assert.equal(fsName(statfs(`${path}/merged`).magic), 'overlayfs');
  unmount(`${path}/merged`, MNT_DETACH);
  assert.throws(
    () =>
      mount({ source: 'overlay', target: `${path}/merged`, type: 'overlay', data: 'lowerdir=/absent:/no' }),
    {
      code: 'ENOENT',
      message: `mount overlay -> ${path}/merged: no such file or directory`,
    },
  );
});

test('overlay by fsopen, with lower directories one by one', {
  skip: hasLowerdirPlus ? false : 'lowerdir+ is of Linux 6.8',
}, (t) => {
  const path = folder(t);
  writeFileSync(`${path}/a/top`, '');
  writeFileSync(`${path}/b/below`, '');
  using context = openFs('overlay');
  context.set('source', 'overlay');
  context.set('lowerdir+', `${path}/a`);
  context.set('lowerdir+', `${path}/b`);
  context.flag('ro');
  context.mountOn(`${path}/merged`);
  assert.deepEqual(readdirSync(`${path}/merged`).sort(), ['below', 'top']);
});

test('a lower directory by descriptor', {
  skip: takesDescriptors ? false : 'lowerdir+ takes descriptors since Linux 6.13',
}, (t) => {
  const path = folder(t);
  writeFileSync(`${path}/a/x`, '');
  const fds = ['a', 'b'].map((name) => openAt(AT_FDCWD, `${path}/${name}`, O_PATH | O_DIRECTORY));
  try {
    using context = openFs('overlay');
    for (const fd of fds) context.fd('lowerdir+', fd);
    context.mountOn(`${path}/merged`);
    assert.deepEqual(readdirSync(`${path}/merged`), ['x']);
  } finally {
    for (const fd of fds) closeFd(fd);
  }
});

test('a context that fails tells why, and leaves nothing', {
  skip: takesOptions ? false : 'overlayfs takes options one by one since Linux 6.5',
}, (t) => {
  const path = folder(t);
  using context = openFs('overlay');
  assert.throws(() => context.set('nonsense', 'x'), {
    code: 'EINVAL',
    message: 'fsconfig overlay nonsense: invalid argument',
  });
  assert.match(context.messages().join(), /nonsense/);
  assert.deepEqual(context.messages(), []);
  context.set('upperdir', `${path}/a`);
  assert.throws(() => context.mountOn(`${path}/merged`), { code: 'EINVAL' });
  assert.equal(findMountAt(`${path}/merged`), undefined);
  assert.throws(() => openFs('no-such-filesystem'), { code: 'ENODEV', syscall: 'fsopen' });
});

test('binds, read-only and private', (t) => {
  const path = folder(t);
  writeFileSync(`${path}/a/f`, 'x');
  mount({ source: `${path}/a`, target: `${path}/b`, flags: MS_BIND });
  mount({ target: `${path}/b`, flags: MS_PRIVATE });
  mount({ target: `${path}/b`, flags: MS_BIND | MS_REMOUNT | MS_RDONLY });
  assert.equal(readFileSync(`${path}/b/f`, 'utf8'), 'x');
  assert.throws(() => writeFileSync(`${path}/b/f`, 'y'), { code: 'EROFS' });
  const found = findMountAt(`${path}/b`);
  assert.ok(found?.options.split(',').includes('ro'));
  assert.deepEqual(found?.propagation, []);
  assert.ok(found?.root.toString().endsWith('/a'));
});

test('names with blanks and odd bytes come back as they are', (t) => {
  const path = folder(t);
  const target = Buffer.concat([Buffer.from(`${path}/a\tb c\\d\n`), Buffer.from([0xff])]);
  mkdirSync(target);
  mount({ source: 'none', target, type: 'tmpfs' });
  assert.ok(readMountInfo().some(({ mountPoint }) => mountPoint.equals(target)));
  unmount(target);
});

test('a target that is a link is not followed', (t) => {
  const path = folder(t);
  mount({ source: 'none', target: `${path}/a`, type: 'tmpfs' });
  symlinkSync('a', `${path}/link`);
  assert.throws(() => unmount(`${path}/link`), { code: 'EINVAL' });
  assert.ok(findMountAt(`${path}/a`));
});

test('mountinfo as proc(5) describes it, and lines that are not', () => {
  const text =
    '36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n' +
    '\nnonsense\n40 35 0:5 / /x rw - tmpfs none rw\n41 35 0:6 / /x rw - proc none rw\n';
  const parsed = parseMountInfo(text);
  assert.equal(parsed.length, 3);
  const [first] = parsed;
  assert.deepEqual([first?.id, first?.parent, first?.major, first?.minor], [36, 35, 98, 0]);
  assert.deepEqual([first?.root.toString(), first?.mountPoint.toString()], ['/mnt1', '/mnt 2']);
  assert.deepEqual(
    [first?.options, first?.type, first?.superOptions],
    ['rw,noatime', 'ext3', 'rw,errors=continue'],
  );
  assert.deepEqual(first?.propagation, ['master:1', 'shared:7']);
  assert.equal(findMountAt('/x', parsed)?.type, 'proc');
  assert.ok(existsSync('/proc/self/mountinfo'));
});
