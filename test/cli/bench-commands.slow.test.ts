/** The commands that read results of the benchmark. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { writeResult } from '../../bench/suite/result-file.ts';
import { literature, machine, madeResult, subject, type Truth } from '../helpers/bench-results.ts';

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

test('bench compare of two machines is allowed, and says so', () => {
  const subjects = ['raw@ext4', 'overlay2@ext4', 'vfs@ext4'].map((id) => subject(id));
  const other = madeResult({
    ...{ subjects, workloads: ['small'], truth: literature, seed: 4 },
    machines: [machine({ processor: 'Made Up 9000' })],
  });
  const path = writeResult({ ...other, interrupted: true }, join(folder, 'other'));
  const { status, stdout, stderr } = tsengine('bench', 'compare', before, path);
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(stdout, /^TWO MACHINES {2}host: processor Made Up 3000 -> Made Up 9000\. /m);
  assert.match(stdout, /^changed {2}.*other\/result\.json was ended before its time$/m);
});

test('what is damaged, of another version or no result is one line, whichever of the two it is', () => {
  const cut = join(folder, 'cut.json');
  writeFileSync(cut, readFileSync(before).subarray(0, 3000));
  const [old, foreign] = [join(folder, 'version0.json'), join(folder, 'foreign.json')];
  writeFileSync(old, '{"version":0}');
  writeFileSync(foreign, '{"version":1,"kernels":[]}');
  for (const [path, message] of [
    [cut, /cannot read a result of tsengine bench from .*cut\.json: it is damaged or no JSON: /],
    [old, /version0\.json has version 0 of the format, .*: measure again$/],
    [foreign, /foreign\.json is no result of tsengine bench: field "[a-z]+": /],
  ] as const)
    for (const args of [
      ['compare', path, before],
      ['compare', before, path],
      ['report', path],
    ]) {
      const { status, stdout, stderr } = tsengine('bench', ...args);
      assert.deepEqual([status, stdout], [125, ''], stderr);
      assert.match(stderr.trimEnd(), message);
      assert.match(stderr, /^tsengine: [^\n]*\n$/);
    }
});

describe('bench report', () => {
  test('writes beside the result or into --out, and says what to choose', () => {
    const beside = tsengine('bench', 'report', before);
    assert.equal(beside.status, 0, beside.stderr);
    assert.match(beside.stdout, /^ {2}many small writes: .*\boverlay2\b/m);
    assert.match(beside.stdout, /^ {2}not measurable here: /m);
    const folders = join(folder, 'a');
    assert.ok(
      beside.stdout.endsWith(
        `written: ${folders}/report.md, ${folders}/report.html, 9 charts in ${folders}/charts\n`,
      ),
    );
    const other = tsengine('bench', 'report', '--out', join(folder, 'new/out'), before);
    assert.match(other.stdout, /^written: .*new\/out\/report\.md, /m);
  });

  test('with --thin writes the result without its samples, and never over what has them', () => {
    const out = join(folder, 'thin');
    for (let time = 0; time < 2; time++) {
      const { status, stdout, stderr } = tsengine('bench', 'report', '--thin', '--out', out, before);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^The samples are left out of this result: /m);
      assert.match(stdout, /^written: .*thin\/result\.json, .*thin\/report\.md, /m);
    }
    assert.ok(readFileSync(`${out}/result.json`).length < readFileSync(before).length / 2);
    const full = readFileSync(before, 'utf8');
    for (const args of [[before], ['--out', join(folder, 'b'), before]]) {
      const { status, stderr } = tsengine('bench', 'report', '--thin', ...args);
      assert.equal(status, 125);
      assert.match(
        stderr,
        /^tsengine: .*result\.json has its samples, which --thin would take away: [^\n]*\n$/,
      );
    }
    assert.equal(readFileSync(before, 'utf8'), full);
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
