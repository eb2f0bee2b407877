/** The commands that read results of the benchmark. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { writeResult } from '../../bench/suite/result-file.ts';
import { literature, madeResult, subject, type Truth } from '../helpers/bench-results.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-bench-commands-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const launcher = join(import.meta.dirname, '../../bin/tsengine');

function tsengine(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, TSENGINE_SOURCES: '1' };
  const { status, stdout, stderr } = spawnSync(launcher, args, { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

function result(name: string, seed: number, truth: Truth = literature): string {
  const subjects = ['raw@ext4', 'overlay2@ext4', 'vfs@ext4'].map((id) => subject(id));
  return writeResult(madeResult({ subjects, workloads: ['small'], truth, seed }), join(folder, name));
}

const slow: Truth = (one, workload, point) =>
  (literature(one, workload, point) ?? 0) * (one.driver === 'vfs' && workload === 'small.untar' ? 2 : 1);
const [before, same, worse] = [result('a', 1), result('b', 2), result('c', 3, slow)];

describe('bench compare', () => {
  test('ends with 1 on a regression and says which, and with 0 without one', () => {
    const bad = tsengine('bench', 'compare', before, worse);
    assert.equal(bad.status, 1, bad.stderr);
    assert.match(bad.stdout, /^REGRESSION {2}vfs@ext4, .*\(small\.untar\): .* -> .*, [12]\.\d\d times \(/m);
    assert.match(bad.stdout, /^1 regression, 0 better, /m);
    assert.equal(tsengine('bench', 'compare', before, same).status, 0);
    assert.equal(tsengine('bench', 'compare', worse, before).status, 0);
  });

  test('gives programs JSON', () => {
    const { status, stdout } = tsengine('bench', 'compare', '--json', before, worse);
    assert.equal(status, 1);
    const json: unknown = JSON.parse(stdout);
    assert.ok(typeof json === 'object' && json !== null && 'regressions' in json && json.regressions === 1);
  });

  test('ends with 125 and one line where there is nothing to tell', () => {
    const old = join(folder, 'old.json');
    writeFileSync(old, '{"version":7}');
    for (const args of [[before], [before, join(folder, 'none.json')], [before, old]]) {
      const { status, stdout, stderr } = tsengine('bench', 'compare', ...args);
      assert.deepEqual([status, stdout], [125, ''], stderr);
    }
    const { stderr } = tsengine('bench', 'compare', before, old);
    assert.match(stderr, /^tsengine: .*old\.json has version 7 of the format, .*: use a newer tsengine\n$/);
  });
});

describe('bench report', () => {
  test('writes beside the result or into --out, and says what to choose', () => {
    const beside = tsengine('bench', 'report', before);
    assert.equal(beside.status, 0, beside.stderr);
    assert.match(beside.stdout, /^many small writes: .*\boverlay2\b/m);
    assert.match(beside.stdout, /^claims of the literature, not measurable here: /m);
    const folders = join(folder, 'a');
    assert.ok(
      beside.stdout.endsWith(
        `written: ${folders}/report.md, ${folders}/report.html, 9 charts in ${folders}/charts\n`,
      ),
    );
    const other = tsengine('bench', 'report', '--out', join(folder, 'new/out'), before);
    assert.match(other.stdout, /^written: .*new\/out\/report\.md, /m);
  });

  test('ends with 125 and one line for what is no result, and where it cannot write', () => {
    const wrong = tsengine('bench', 'report', join(folder, 'a/report.md'));
    assert.equal(wrong.status, 125);
    assert.match(wrong.stderr, /^tsengine: cannot read a result of tsengine bench from [^\n]*\n$/);
    const blocked = tsengine('bench', 'report', '--out', join(before, 'below'), before);
    assert.equal(blocked.status, 125);
    assert.match(blocked.stderr, /^tsengine: [^\n]*not a directory\n$/);
  });
});
