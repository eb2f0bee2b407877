/** What results are kept under, and what machines are started from, when somebody builds meanwhile. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LabCache } from '../../src/lab/cache.ts';
import { kernelPlan, ownKernelPlan } from '../../src/lab/kernels.ts';
import type { MatrixEvent } from '../../src/lab/matrix/events.ts';
import { holdKernel } from '../../src/lab/matrix/held-kernel.ts';
import { choiceOf, hasOwnZfs } from '../../src/lab/matrix/own-kernel.ts';
import { resultKeys } from '../../src/lab/matrix/result-keys.ts';
import { rootPlan } from '../../src/lab/root-image.ts';
import { useEmptyLab } from '../helpers/empty-lab.ts';
import { kernelFile } from '../helpers/kernel-file.ts';
import { cell, feature } from '../helpers/matrix-samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-keys-'));
useEmptyLab(folder, `${folder}/cache`);
const context = { progress: () => undefined, signal: undefined };
const cache = new LabCache(context);

describe('a kernel of the user’s that is built anew under the matrix', () => {
  const modules = `${folder}/mods/6.9.1`;
  mkdirSync(modules, { recursive: true });
  writeFileSync(`${modules}/modules.dep`, '');
  const path = kernelFile(`${folder}/bzImage`, '6.9.1');
  const choice = choiceOf(path, { modules });

  test('does not get into machines that are started later, and is another one for the next run', async () => {
    using held = await holdKernel(choice, context);
    assert.equal(held.failure, null);
    const old = readFileSync(path);
    const name = cache.nameOf(kernelPlan(choice, cache, context));
    assert.ok(typeof held.choice !== 'string');
    assert.equal(hasOwnZfs(held.choice), false);

    appendFileSync(path, 'and more');
    writeFileSync(`${modules}/modules.dep`, 'updates/zfs.ko:\n');
    assert.notEqual(cache.nameOf(kernelPlan(choice, cache, context)), name);
    // What lab.ts starts: the same entry, in which is what was there at the beginning.
    assert.equal(cache.nameOf(kernelPlan(held.choice, cache, context)), name);
    assert.deepEqual(readFileSync(held.choice.path), old);
    assert.equal(hasOwnZfs(held.choice), false);
    assert.throws(() => cache.remove(name), { code: 'Conflict' });

    using anew = await holdKernel(choice, context);
    assert.notEqual(anew.identity, held.identity);
  });

  test('at the moment at which it is copied is told, and is no kernel’s result', async () => {
    assert.ok(typeof choice !== 'string');
    const meddling = { progress: () => appendFileSync(path, 'linked'), signal: undefined };
    const made = ownKernelPlan(choice, meddling).make(mkdtempSync(`${folder}/making-`));
    await assert.rejects(made, {
      code: 'Conflict',
      message: /bzImage, its modules .* while they were copied/,
    });
    const { failure } = await holdKernel(choice, meddling);
    assert.deepEqual([failure?.of, /run the command again/.test(failure?.error ?? '')], ['lab', true]);
  });
});

describe('results of machines', () => {
  const onExt4: MatrixEvent = { event: 'cell', cell: cell() };
  const onZfs: MatrixEvent = { event: 'features', backing: 'zfs', features: [feature({ backing: 'zfs' })] };
  const booted: MatrixEvent = { event: 'booted', seconds: 2 };
  const makeRoot = (features: readonly 'zfs'[], made: string): string => {
    const name = cache.nameOf(rootPlan(features, cache, context, 'bookworm'));
    mkdirSync(`${cache.folder}/${name}`, { recursive: true });
    const record = { version: 1, kind: 'root', label: 'plain', made, details: {} };
    writeFileSync(`${cache.folder}/${name}/entry.json`, JSON.stringify(record));
    return name;
  };

  test('are none of machines with another root image, and none is made to find out', () => {
    const keys = resultKeys('code kernel', 'debian:6.1', context);
    const without = keys.of(onExt4);
    assert.deepEqual(
      cache.list().filter(({ record }) => record.kind === 'root'),
      [],
    );
    const name = makeRoot([], '2026-01-01T00:00:00.000Z');
    const first = keys.of(onExt4);
    assert.deepEqual(first, [`code kernel ${name} 2026-01-01T00:00:00.000Z`]);
    assert.notDeepEqual(first, without);
    // As soon as there is one, what is found in it is kept for the next run.
    assert.ok(
      resultKeys('code kernel', 'debian:6.1', context)
        .all()
        .includes(first[0] ?? ''),
    );
    makeRoot([], '2026-02-02T00:00:00.000Z');
    assert.equal(keys.all().includes(first[0] ?? ''), false);
  });

  test('on ZFS hang on the image of machines with ZFS alone, and that a machine booted on either', () => {
    const keys = resultKeys('code kernel', 'debian:6.1', context);
    const [ext4, zfs] = [keys.of(onExt4), keys.of(onZfs)];
    makeRoot(['zfs'], '2026-03-03T00:00:00.000Z');
    assert.deepEqual(keys.of(onExt4), ext4);
    assert.notDeepEqual(keys.of(onZfs), zfs);
    assert.deepEqual(keys.of(booted), [...ext4, ...keys.of(onZfs)]);
    assert.deepEqual(keys.of(booted), keys.all());
  });

  test('on this machine’s own kernel hang on no image', () => {
    assert.deepEqual(resultKeys('code kernel', 'host', context).of(onExt4), ['code kernel']);
  });
});
