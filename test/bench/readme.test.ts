import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { readmeTable, withTable } from '../../bench/readme.ts';
import { readRepositoryResult } from '../../bench/schema.ts';
import { recordedComparison, recordedResult } from '../helpers/repository-result.ts';

const root = resolve(import.meta.dirname, '../..');

const result = recordedResult([
  recordedComparison({ name: 'harness' }, { 'a static true': [1.5] }),
  recordedComparison(
    { name: 'run' },
    { docker: [190, 200, 210], podman: [250], tsengine: [95, 100, 105], 'runc alone': [50, 50, 50] },
  ),
  recordedComparison({ name: 'run', machine: 'debian:6.1' }, { tsengine: [9999] }),
  recordedComparison({ name: 'not of the table' }, { tsengine: [1] }),
]);

describe('the table of the README', () => {
  test('has what was measured with its ratios, and names commit, date and machine', () => {
    const lines = readmeTable(result).split('\n');
    assert.match(
      lines[1] ?? '',
      /commit abc1234, measured on 2026-11-30 .*2 × AMD EPYC, 8 GiB, Linux 6\.18\.44, .*docker 20\.10\.24, podman 4\.3\.1, node v24\.21\.0\..* disturbed 0 of the 13 samples\./,
    );
    assert.deepEqual(lines.slice(3, -1), [
      '|  | tsengine | Docker | podman | floor | to Docker | to the floor |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      '| `run --rm --network none busybox true` | 100 ms | 200 ms | 250 ms | runc alone 50.0 ms | 0.50 (0.45 to 0.55)* | 2.00 (1.90 to 2.10)* |',
      '| nothing: what the harness itself takes |  |  |  | a static true 1.50 ms |  |  |',
    ]);
  });

  test('has no column for a podman that nobody measured', () => {
    const lines = readmeTable(
      recordedResult([recordedComparison({ name: 'ps' }, { docker: [2, 2, 2, 2], tsengine: [1, 1, 1, 1] })]),
    ).split('\n');
    assert.deepEqual(lines.slice(3, -1), [
      '|  | tsengine | Docker | floor | to Docker | to the floor |',
      '| --- | --- | --- | --- | --- | --- |',
      '| `ps -a`, 1 000 containers | 1.00 ms | 2.00 ms |  | 0.50 (0.50 to 0.50) |  |',
    ]);
  });

  test('says of a try what it tried', () => {
    const ps = recordedComparison({ name: 'ps', title: 'ps -a, 100 containers' }, { tsengine: [1] });
    const table = readmeTable({ ...recordedResult([ps]), quick: true });
    assert.match(table, /\(a try, not for figures\).*Medians of 10 runs;/);
    assert.match(table, /^\| ps -a, 100 containers \| 1\.00 ms \|/m);
  });

  test('takes the place of the one before, and of nothing else', () => {
    const before = `# tsengine\n\n${readmeTable(recordedResult([]))}\n\nThe rest.\n`;
    const after = withTable(before, result);
    assert.equal(after, `# tsengine\n\n${readmeTable(result)}\n\nThe rest.\n`);
    assert.equal(withTable(after, result), after);
    assert.throws(() => withTable('# tsengine\n', result), /the README has no lines <!-- /);
  });

  test('is what the committed result gives', () => {
    const readme = readFileSync(`${root}/README.md`, 'utf8');
    const committed = readRepositoryResult(`${root}/docs/bench/repository.json`);
    assert.ok(
      readme.includes(readmeTable(committed)),
      'npm run bench -- --readme docs/bench/repository.json',
    );
  });
});
