/** How a matrix is divided: among jobs, machines and memory; and which kernel its results are of. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LabCache } from '../../src/lab/cache.ts';
import { kernelPlan } from '../../src/lab/kernels.ts';
import { cellsOf } from '../../src/lab/matrix/cells.ts';
import { holdKernel } from '../../src/lab/matrix/held-kernel.ts';
import { type KeyedKernel, planOf } from '../../src/lab/matrix/plan.ts';
import { BACKINGS } from '../../src/lab/matrix/schema.ts';
import { machinesInMemory, machinesPerKernel, sharesOf } from '../../src/lab/matrix/shares.ts';
import { Slots } from '../../src/lab/matrix/slots.ts';
import { useEmptyLab } from '../helpers/empty-lab.ts';
import { cell, feature } from '../helpers/matrix-samples.ts';

const all = { cells: cellsOf(['overlay2', 'vfs'], BACKINGS), features: [null, ...BACKINGS] };
const GIB = 2 ** 30;

test('places are given in order, no more than so many at once, and back when work fails', async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  let [running, most] = [0, 0];
  const work = async (item: number): Promise<number> => {
    begun.push(item);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (item === 2) throw new Error('two');
    return item;
  };
  const ended = await Promise.allSettled([1, 2, 3, 4, 5].map((item) => slots.run(() => work(item))));
  assert.deepEqual(
    ended.map((one) => (one.status === 'fulfilled' ? one.value : 'failed')),
    [1, 'failed', 3, 4, 5],
  );
  assert.deepEqual([begun, most, running], [[1, 2, 3, 4, 5], 2, 0]);
});

describe('work on one kernel', () => {
  test('comes out whole however many machines it is divided among, ZFS in the last', () => {
    for (const parts of [1, 2, 3, 4, 7, 100]) {
      const shares = sharesOf(all, parts);
      assert.ok(shares.length <= parts && shares.length <= 7, `${shares.length} of ${parts}`);
      const cells = shares.flatMap((share) => share.cells);
      const features = shares.flatMap((share) => share.features);
      assert.deepEqual(new Set(cells), new Set(all.cells));
      assert.deepEqual(new Set(features), new Set(all.features));
      assert.deepEqual([cells.length, features.length], [all.cells.length, all.features.length]);
      const sizes = shares.map((share) => share.cells.length + share.features.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join());
      assert.equal(
        shares.findIndex((share) => share.features.includes('zfs')),
        shares.length - 1,
      );
    }
    assert.equal(sharesOf(all, 2).length, 2);
  });

  test('that is little takes one machine', () => {
    const little = { cells: all.cells.slice(0, 3), features: [null] };
    assert.equal(sharesOf(little, 8).length, 1);
    assert.deepEqual(sharesOf({ cells: [], features: [] }, 8), [{ cells: [], features: [] }]);
  });
});

describe('jobs', () => {
  test('are all taken: the kernels that are no full round share them', () => {
    assert.deepEqual(machinesPerKernel(1, 4), [4]);
    assert.deepEqual(machinesPerKernel(2, 2), [1, 1]);
    assert.deepEqual(machinesPerKernel(3, 2), [1, 1, 2]);
    assert.deepEqual(machinesPerKernel(2, 5), [3, 3]);
    assert.deepEqual(machinesPerKernel(0, 2), []);
  });

  test('are no more machines than there is memory for', () => {
    assert.equal(machinesInMemory(16 * GIB, 2 * GIB), 6);
    assert.equal(machinesInMemory(GIB, 2 * GIB), 1);
  });

  const kernelOf = (name: string, known: KeyedKernel['known'] = []): KeyedKernel => ({
    ...{ name, choice: name, known, failure: null, keys: undefined },
  });
  const means = { jobs: 4, memory: undefined, available: 64 * GIB };

  test('go to the kernels that something is left to do for', () => {
    const one = planOf(all, [kernelOf('debian:6.1')], means);
    assert.deepEqual(
      one.works.map(({ ownMachines }) => ownMachines),
      [4],
    );
    assert.deepEqual([one.together.machines, one.total, one.known, one.shortage], [4, 18, 0, undefined]);
    const done: KeyedKernel['known'] = [
      ...all.cells.map((name) => ({ event: 'cell' as const, cell: cell(name) })),
      ...all.features.map((backing) => ({ event: 'features' as const, backing, features: [feature()] })),
    ];
    const two = planOf(all, [kernelOf('debian:6.1', done), kernelOf('debian:6.12')], means);
    assert.deepEqual(
      two.works.map(({ ownMachines }) => ownMachines),
      [1, 4],
    );
    assert.deepEqual([two.total, two.known], [36, 18]);
    const beside = planOf(all, [kernelOf('host'), kernelOf('debian:6.1')], means);
    assert.deepEqual([beside.together.parallel, beside.works[1]?.ownMachines], [4, 4]);
  });

  test('that there is no memory for are told', () => {
    const { works, together, shortage } = planOf(all, [kernelOf('debian:6.1')], {
      ...means,
      available: 6 * GIB,
    });
    assert.deepEqual([works[0]?.ownMachines, together.machines], [2, 2]);
    assert.equal(
      shortage,
      'there is memory for 2 machines of 2048 MiB at once, not for 4: --memory gives them less',
    );
  });
});

describe('a kernel of Debian’s', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsengine-held-'));
  useEmptyLab(folder, folder);
  const context = { progress: () => undefined, signal: undefined };
  const cache = new LabCache(context);
  const name = cache.nameOf(kernelPlan('debian:6.1', cache, context));
  const make = (made: string): void => {
    mkdirSync(`${folder}/${name}`, { recursive: true });
    const details = { release: '6.1.0-50-cloud-amd64' };
    const record = { version: 1, kind: 'kernel', label: 'debian-6.1', made, details };
    writeFileSync(`${folder}/${name}/entry.json`, JSON.stringify(record));
  };

  test('that is made anew is another one, and none is made or removed while its cells run', async () => {
    make('2026-01-01T00:00:00.000Z');
    const identities: string[] = [];
    for (let look = 0; look < 2; look++) {
      using held = await holdKernel('debian:6.1', context);
      assert.equal(held.failure, null);
      identities.push(held.identity);
      assert.throws(() => cache.remove(name), { code: 'Conflict' });
    }
    make('2026-02-02T00:00:00.000Z');
    using anew = await holdKernel('debian:6.1', context);
    assert.equal(identities[0], identities[1]);
    assert.notEqual(anew.identity, identities[0]);
    assert.match(anew.identity, /^debian:6\.1 6\.1\.0-50-cloud-amd64 2026-02-02/);
  });

  test('is not fetched for machines that cannot be started', async () => {
    process.env.TSENGINE_LAB_QEMU = '/proc/none';
    try {
      const { failure } = await holdKernel('debian:6.12', context);
      assert.equal(failure?.of, 'lab');
      assert.match(failure.error, /\/proc\/none/);
    } finally {
      process.env.TSENGINE_LAB_QEMU = `${folder}/qemu`;
    }
  });

  test('that cannot be had is the lab’s failure', async () => {
    process.env.TSENGINE_LAB_CACHE = '/proc/none';
    try {
      const { failure } = await holdKernel('debian:6.1', context);
      assert.equal(failure?.of, 'lab');
      assert.match(failure.error, /^cannot use the lab's cache/);
    } finally {
      process.env.TSENGINE_LAB_CACHE = folder;
    }
  });
});
