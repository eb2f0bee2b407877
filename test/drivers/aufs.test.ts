/** What is aufs's own, but for mounts (aufs-program.slow.test.ts), the suite (conformance-filesystems.slow.test.ts) and containers (aufs-roots.slow.test.ts). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { kernelBackend, maxBranches, mountCalls } from '../../src/drivers/aufs/kernel.ts';
import { Layout } from '../../src/drivers/aufs/layout.ts';
import { programArguments } from '../../src/drivers/aufs/program.ts';
import { newId } from '../../src/drivers/conformance/suite.ts';
import { type MountRequest, MS_RDONLY, MS_REMOUNT } from '../../src/linux/mount.ts';
import { makeFilesystem } from '../helpers/loop.ts';
import { makeStore } from '../helpers/stores.ts';

const branch = (number: number): string => `/var/lib/docker/aufs/diff/${String(number).padStart(64, '0')}`;
const branches = (count: number): string[] => Array.from({ length: count }, (_, index) => branch(index));

describe('the calls that mount a union by the kernel', () => {
  const union = { target: '/mnt/union', isWritable: true, hasDirperm1: true };

  test('branches come topmost first, written and read-only, with the options of Docker', () => {
    assert.deepEqual(mountCalls({ ...union, branches: ['/a', '/b', '/c'] }), [
      {
        source: 'none',
        target: '/mnt/union',
        type: 'aufs',
        flags: 0,
        data: 'br:/a=rw:/b=ro+wh:/c=ro+wh,dio,xino=/dev/shm/aufs.xino,dirperm1',
      },
    ]);
    const [view] = mountCalls({ ...union, branches: ['/a', '/b'], isWritable: false, hasDirperm1: false });
    assert.equal(view?.data, 'br:/a=ro+wh:/b=ro+wh,dio,xino=/dev/shm/aufs.xino');
    assert.equal(view?.flags, MS_RDONLY);
  });

  test('what one page does not hold is appended below, in order, each call with its label', () => {
    const label = 'system_u:object_r:container_file_t:s0:c1,c2';
    const calls = mountCalls({ ...union, branches: branches(127), label });
    assert.equal(calls.length, 4);
    for (const { data } of calls) {
      assert.ok(Buffer.byteLength(data ?? '') <= 4095);
      assert.ok(data?.toString().endsWith(`,context="${label}"`));
    }
    assert.deepEqual(
      calls.map(({ flags }) => flags),
      [0, MS_REMOUNT, MS_REMOUNT, MS_REMOUNT],
    );
    const named = calls.flatMap(({ data }) => data?.toString().match(/\/var[^=]*/g) ?? []);
    assert.deepEqual(named, branches(127));
    assert.match(String(calls[1]?.data), /^append:\/var[^,:]*=ro\+wh,append:\/var/);
    // One branch more would not have fitted.
    const room = 4095 - Buffer.byteLength(String(calls[0]?.data));
    assert.ok(room < `:${branch(0)}=ro+wh`.length);
  });

  test('a path that AUFS would misread is refused by name', () => {
    for (const path of ['/a,b', '/a:b', '/a=b', `/${'a'.repeat(4090)}`]) {
      assert.throws(() => mountCalls({ ...union, branches: [path] }), {
        code: 'InvalidParameter',
        message: /cannot be a branch/,
      });
    }
  });

  test('the backend makes those calls, and no more after one that fails', () => {
    using store = makeStore();
    const run = (fails: number): MountRequest[] => {
      const calls: MountRequest[] = [];
      const context = { layout: new Layout('/home'), warn: () => {} };
      const backend = kernelBackend(context, store.context('aufs').runHome, (request) => {
        calls.push(request);
        if (calls.length === fails) throw new Error('refused');
      });
      const parents = Array.from({ length: 100 }, newId);
      const mount = () => backend.mount({ target: '/home/mnt/top', id: 'top', parents });
      if (fails === 0) mount();
      else assert.throws(mount, { code: 'System', message: /layer top with 100 parents: refused/ });
      return calls;
    };
    const [first, ...rest] = run(0);
    assert.match(
      String(first?.data),
      /^br:\/home\/diff\/top=rw:\/home\/diff\/[0-9a-f]{64}=ro\+wh:.*,dio,xino=/,
    );
    assert.ok(rest.length > 0 && rest.every(({ flags }) => flags === MS_REMOUNT));
    assert.equal(run(1).length, 1);
  });

  test('how many branches an AUFS takes is told by its own configuration', () => {
    assert.equal(maxBranches(''), 127);
    assert.equal(maxBranches('CONFIG_AUFS_FS=m\nCONFIG_AUFS_BRANCH_MAX_1023=y\n'), 1023);
  });

  test('a FUSE program gets the same order, by short names', () => {
    const parents = ['near', 'far'];
    assert.deepEqual(programArguments({ target: '/t', id: 'top', parents, label: 's0:c1,c2' }, true), [
      '-o',
      'dev,suid,lowerdir=near:far,upperdir=top,workdir=../.tsengine-work/top,context=s0:c1\\,c2',
      '/t',
    ]);
    const view = programArguments({ target: '/t', id: 'top', parents, isReadOnly: true }, false);
    assert.deepEqual(view, ['-o', 'dev,suid,lowerdir=top:near:far,noacl', '/t']);
  });
});

describe('aufs refuses in one line', () => {
  test('options that it does not have, programs that are not there, filesystems that AUFS does not take', async () => {
    using store = makeStore();
    const open = (key: string, value: string) => store.open('aufs', [[key, value]]);
    await assert.rejects(open('aufs.size', '1G'), {
      code: 'InvalidParameter',
      message: /^aufs has no option aufs\.size: it takes aufs\.mount_program$/,
    });
    await assert.rejects(open('aufs.mount_program', '/nowhere/fuse'), {
      code: 'Unavailable',
      message: /\/nowhere\/fuse: there is no such/,
    });
    for (const [program, why] of [
      [
        '/etc/passwd',
        /mount_program \/etc\/passwd: it is not executable: chmod \+x \/etc\/passwd, or name another$/,
      ],
      ['/etc/passwd/x', /mount_program \/etc\/passwd\/x: there is no such program/],
      ['/etc', /mount_program \/etc: it is no file/],
      ['bin/fuse-overlayfs', /mount_program bin\/fuse-overlayfs: a path must begin with \//],
    ] as const)
      await assert.rejects(open('aufs.mount_program', program), { code: 'Unavailable', message: why });
    assert.deepEqual(fs.readdirSync(store.dataRoot), []);
    using filesystem = makeFilesystem('btrfs');
    using refused = makeStore(filesystem.path);
    await assert.rejects(refused.open('aufs'), {
      code: 'Unavailable',
      message: /AUFS is not supported over btrfs.*ext4/,
    });
    assert.deepEqual(fs.readdirSync(refused.dataRoot), []);
  });

  test('a program that cannot mount says why, a damaged record is named, a missing branch too', async () => {
    using store = makeStore();
    const driver = await store.open('aufs', [['aufs.mount_program', '/bin/false']]);
    const { home } = store.context('aufs');
    const base = newId();
    const id = newId();
    await driver.create(base, undefined);
    await driver.createReadWrite(id, base);
    await assert.rejects(driver.get(id), {
      code: 'System',
      message: /\/bin\/false cannot mount layer .* ended with status 1/,
    });
    assert.deepEqual(fs.readdirSync(`${home}/.tsengine-work`), []);
    execFileSync('rm', ['-r', `${home}/diff/${base}`]);
    await assert.rejects(driver.get(id), { code: 'Corrupt', message: new RegExp(`diff/${base} is missing`) });
    const another = newId();
    await assert.rejects(driver.createReadWrite(another, base), {
      code: 'Corrupt',
      message: new RegExp(`diff/${base} is missing: put it back`),
    });
    assert.equal(await driver.exists(another), false);
    fs.writeFileSync(`${home}/layers/${id}`, '../../etc\n');
    await assert.rejects(driver.get(id), {
      code: 'Corrupt',
      message: new RegExp(`layers/${id}.*put the file back`),
    });
    await driver.remove(id);
    assert.equal(await driver.exists(id), false);
  });
});
