/** `lab ls` and `lab rm` on a cache of the test's own, whose entries are small. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LabCache } from '../../src/lab/cache.ts';

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
    assert.deepEqual(lab('ls', '-q').stdout.trim().split('\n'), [two]);
    assert.equal(lab('rm').status, 1);
  } finally {
    rmSync(path, { recursive: true });
  }
});
