/** `lab ls` and `lab rm` on a cache of the test's own, whose entries are small. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type EntryPlan, type HeldEntry, LabCache } from '../../src/lab/cache.ts';
import { packagesPlan } from '../../src/lab/code-disk.ts';
import { neededModules } from '../../src/lab/guest-init.ts';
import { initramfsPlan } from '../../src/lab/initramfs.ts';
import { kernelPlan } from '../../src/lab/kernels.ts';
import { withSizes } from '../../src/lab/listing.ts';
import { rootPlan } from '../../src/lab/root-image.ts';
import { supersededEntries } from '../../src/lab/superseded.ts';
import { zfsPlan } from '../../src/lab/zfs-modules.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

test('lab ls lists, lab rm removes what no machine uses', async () => {
  const path = mkdtempSync(join(tmpdir(), 'lab-cache-'));
  const lab = (...args: string[]) =>
    spawnSync(launcher, ['lab', ...args], {
      encoding: 'utf8',
      env: { ...process.env, TSENGINE_LAB_CACHE: path },
    });
  try {
    const cache = new LabCache({ progress: () => undefined, signal: undefined }, path);
    const hold = (label: string) =>
      cache.hold({
        kind: 'root',
        label,
        madeOf: [label],
        make: async (folder) => {
          writeFileSync(join(folder, 'file'), 'x'.repeat(5000));
          return {};
        },
      });
    const names = [];
    for (const label of ['one', 'two', 'three']) {
      using held = await hold(label);
      names.push(held.name);
    }
    const [one = '', two = '', three = ''] = names;
    assert.deepEqual(lab('ls', '-q').stdout.trim().split('\n'), [one, three, two]);
    const removed = lab('rm', one, 'nosuch');
    assert.equal(removed.stdout, `${one}\n`);
    assert.match(removed.stderr, /^tsengine: the lab's cache has no entry nosuch: see tsengine lab ls\n$/);
    assert.equal(removed.status, 1);
    using _used = await hold('two');
    const all = lab('rm', '--all');
    assert.equal(all.stdout, `${three}\n`);
    assert.deepEqual([all.status, all.stderr], [0, `tsengine: ${two} is in use, and stays\n`]);
    const used = lab('rm', two);
    assert.match(used.stderr, new RegExp(`^tsengine: cannot remove ${two}: a machine runs from it`));
    assert.equal(lab('rm', '--all', two).stderr, 'tsengine: give names or --all, not both\n');
    const unused = lab('rm', '--unused');
    assert.deepEqual([unused.stdout, unused.stderr], ['', `tsengine: ${two} is in use, and stays\n`]);
    assert.deepEqual(lab('ls', '-q').stdout.trim().split('\n'), [two]);
    assert.equal(lab('rm').status, 1);
  } finally {
    rmSync(path, { recursive: true });
  }
});

test('an entry that goes between its listing and its measuring is left out', async () => {
  const path = mkdtempSync(join(tmpdir(), 'lab-cache-'));
  try {
    const cache = new LabCache({ progress: () => undefined, signal: undefined }, path);
    const make = async (folder: string): Promise<Record<string, string>> => {
      writeFileSync(join(folder, 'file'), 'x'.repeat(5000));
      return {};
    };
    for (const label of ['goes', 'stays']) {
      using _held = await cache.hold({ kind: 'root', label, madeOf: [label], make });
    }
    const listed = cache.list();
    cache.remove(listed[0]?.name ?? '');
    const [stays, ...others] = withSizes(listed);
    assert.match(stays?.name ?? '', /^root-stays-/);
    assert.ok((stays?.bytes ?? 0) >= 5000);
    assert.deepEqual(others, []);
  } finally {
    rmSync(path, { recursive: true });
  }
});

test('what is superseded are entries of other code, of a kernel made anew since, and of files that are gone', async () => {
  const path = mkdtempSync(join(tmpdir(), 'lab-cache-'));
  try {
    const context = { progress: () => undefined, signal: undefined };
    const cache = new LabCache(context, path);
    // Of the plans as they are, but for what costs minutes.
    const hold = async (plan: EntryPlan, fresh = false): Promise<HeldEntry> => {
      const make = async (folder: string): Promise<Record<string, string>> => {
        mkdirSync(join(folder, 'lib/modules/6.1.0-50'), { recursive: true });
        const list = neededModules.map((name) => `kernel/${name}.ko\n`).join('');
        writeFileSync(join(folder, 'lib/modules/6.1.0-50/modules.builtin'), list);
        return { release: '6.1.0-50', source: '/nonexistent/bzImage' };
      };
      using entry = await cache.hold({ ...plan, make }, fresh);
      return entry;
    };
    const older = (plan: EntryPlan): EntryPlan => ({ ...plan, madeOf: [...plan.madeOf, 'of older code'] });
    const packages = packagesPlan(context);
    const root = rootPlan([], cache, context);
    const before = await hold(kernelPlan('debian:6.1', cache, context));
    const wanted = [packages, root, rootPlan(['docker', 'zfs'], cache, context, 'trixie')];
    for (const plan of wanted) await hold(plan);
    const old = [
      await hold(older(packages)),
      await hold(older(root)),
      await hold({
        ...before.record,
        kind: 'kernel',
        label: 'own-6.1.0-50',
        madeOf: ['gone'],
        make: root.make,
      }),
      await hold(initramfsPlan(before)),
      await hold(zfsPlan(before, 'bookworm', cache, context)),
    ];
    const kernel = await hold(kernelPlan('debian:6.1', cache, context), true);
    await hold(initramfsPlan(kernel));
    await hold(zfsPlan(kernel, 'bookworm', cache, context));
    assert.equal(cache.list().length, wanted.length + old.length + 3);
    assert.deepEqual(supersededEntries(cache, context), old.map(({ name }) => name).sort());
  } finally {
    rmSync(path, { recursive: true });
  }
});

test('lab kernels has one line for a kernel of the user, however often it was built', () => {
  const path = mkdtempSync(join(tmpdir(), 'lab-cache-'));
  const image = join(path, 'bzImage');
  const listed = () => {
    const { stdout } = spawnSync(launcher, ['lab', 'kernels'], {
      encoding: 'utf8',
      env: { ...process.env, TSENGINE_LAB_CACHE: path },
    });
    return stdout.split('\n').flatMap((line) => (line.startsWith(image) ? [line.trim().split(/ {2,}/)] : []));
  };
  try {
    const cache = new LabCache({ progress: () => undefined, signal: undefined }, path);
    for (const [name, made, release] of [
      ['kernel-own-aaaaaaaaaaaa-000000000001', '2026-01-02T00:00:00.000Z', '6.2.0'],
      ['kernel-own-aaaaaaaaaaaa-000000000002', '2026-01-03T00:00:00.000Z', '6.3.0'],
      ['kernel-own-aaaaaaaaaaaa-000000000003', '2026-01-01T00:00:00.000Z', '6.1.0'],
    ] as const) {
      mkdirSync(join(cache.folder, name));
      const details = { source: image, release };
      const record = { version: 1, kind: 'kernel', label: 'own-aaaaaaaaaaaa', made, details };
      writeFileSync(join(cache.folder, name, 'entry.json'), JSON.stringify(record));
    }
    assert.deepEqual(listed(), [[image, 'a file', '6.3.0', 'file is gone']]);
    writeFileSync(image, 'no kernel');
    assert.deepEqual(listed(), [[image, 'a file', '6.3.0', 'has changed']]);
  } finally {
    rmSync(path, { recursive: true });
  }
});
