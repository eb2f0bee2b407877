import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, describe, test } from 'node:test';
import { readRepositoryResult, repositoryResultText } from '../../bench/schema.ts';
import { recordedComparison, recordedResult } from '../helpers/repository-result.ts';

const folder = mkdtempSync(`${tmpdir()}/tsengine-test-`);
after(() => rmSync(folder, { recursive: true }));
const file = `${folder}/repository.json`;

const claims = [{ series: 'ours', baseline: 'theirs', limit: 0.5 }, { series: 'ours' }];
const result = recordedResult([recordedComparison({ name: 'run', claims }, { ours: [1.25], theirs: [2] })]);

describe('the file of a result of the repository benchmark', () => {
  test('is read as it was written', () => {
    writeFileSync(file, repositoryResultText(result));
    assert.deepEqual(readRepositoryResult(file), result);
  });

  test('of another version, of tsengine bench or with a wrong field is refused in one line that says what to do', () => {
    const refused = (value: object, message: RegExp): void => {
      writeFileSync(file, JSON.stringify(value));
      assert.throws(() => readRepositoryResult(file), { code: 'InvalidParameter', message });
    };
    refused({ ...result, version: 2 }, /has version 2 of the format, and this tsengine reads 1: use a newer/);
    refused({ version: 1, series: [] }, /is no result of npm run bench: field "benchmark": .*--out FILE/);
    const [run] = result.comparisons;
    refused(
      { ...result, comparisons: [{ ...run, unit: 'furlongs' }] },
      /is no result of npm run bench: field "comparisons\[0\]\.unit"/,
    );
    writeFileSync(file, '{');
    assert.throws(() => readRepositoryResult(file), /cannot read a result of npm run bench from .*no JSON/);
    assert.throws(() => readRepositoryResult(`${folder}/none`), /cannot read a result of npm run bench from/);
  });
});
