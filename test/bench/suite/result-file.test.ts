import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseResult, readResult, resultText, writeResult } from '../../../bench/suite/result-file.ts';
import { resultSchemaText } from '../../../bench/suite/schema-text.ts';
import { madeResult, subject } from '../../helpers/bench-results.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-result-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const result = madeResult({
  subjects: [subject('raw@ext4'), subject('overlay2@ext4')],
  workloads: ['small.create'],
  truth: () => 1000,
});

describe('the file of a result', () => {
  test('is read as it was written, and passes over fields that it does not know', () => {
    const path = writeResult(result, join(folder, 'deep/er'));
    assert.equal(path, join(folder, 'deep/er/result.json'));
    const read = readResult(path);
    const text = readFileSync(path, 'utf8');
    assert.deepEqual(JSON.parse(resultText(read)), JSON.parse(text));
    const lines = text.split('\n').filter((line) => line.startsWith('{"subject"'));
    assert.equal(lines.length, read.series.length);
    assert.deepEqual({ ...read, series: [] }, { ...result, series: [] });
    // Six digits of each value are kept.
    for (const [index, { samples }] of read.series.entries())
      for (const [place, { value }] of samples.entries()) {
        const before = result.series[index]?.samples[place]?.value ?? 0;
        assert.ok(Math.abs(value / before - 1) < 1e-5);
      }
    assert.deepEqual(parseResult({ ...read, later: 1 }, path), read);
  });

  test('that cannot be read, or is damaged, is refused in one line that names it', () => {
    const cut = join(folder, 'cut.json');
    writeFileSync(cut, '{"version": 1,\n\n');
    for (const path of [join(folder, 'none.json'), folder, cut])
      assert.throws(() => readResult(path), {
        code: 'InvalidParameter',
        message: /^cannot read a result of tsengine bench from [^\n]*$/,
      });
    assert.throws(() => readResult(cut), { message: /cut\.json: it is damaged or no JSON: / });
    assert.throws(() => readResult('/dev/zero'), { message: /larger than 256 MiB/ });
  });

  test('of another version, of another program or with a wrong field is refused with what to do', () => {
    const refused = (value: unknown, message: RegExp): void =>
      assert.throws(() => parseResult(value, 'x.json'), { code: 'InvalidParameter', message });
    refused({ ...result, version: 2 }, /^x\.json has version 2 .* reads 1: use a newer tsengine$/);
    refused({ ...result, version: 0 }, /version 0 .*: measure again$/);
    refused(
      { kernels: [], version: 1 },
      /^x\.json is no result of tsengine bench: field "[a-z]+": .*result\.json/,
    );
    refused([], /^x\.json is no result of tsengine bench: /);
    refused(null, /^x\.json is no result of tsengine bench: /);
  });

  test('in which a name is there twice, or names what is not there, is refused', () => {
    const refused = (given: object, message: RegExp): void =>
      assert.throws(() => parseResult({ ...result, ...given }, 'x.json'), { message });
    const [series] = result.series;
    assert.ok(series !== undefined);
    refused({ subjects: [...result.subjects, subject('raw@ext4')] }, /the subject raw@ext4 twice/);
    refused({ series: [series, series] }, /small\.create bytes=4096 count=1000 twice/);
    const { subject: id, workload, point } = series;
    const thinned = [{ workload, point, subjects: { [id]: { values: [1, 2], turns: [1] } } }];
    refused({ series: [], thinned }, /not as many turns as values$/);
    const whole = [{ workload, point, subjects: { [id]: { values: [1, 2], turns: [1, 2] } } }];
    assert.equal(parseResult({ ...result, series: [], thinned: whole }, 'x.json').series.length, 1);
    refused({ thinned: whole }, /small\.create bytes=4096 count=1000 twice/);
    refused({ series: [{ ...series, subject: 'a\nb' }] }, /the subject a\\x0ab, which it lacks$/);
    refused({ machines: [] }, /the machine host, which it lacks/);
    const subjects = result.subjects.map((one) => ({ ...one, failed: 'no QEMU' }));
    assert.ok(parseResult({ ...result, machines: [], subjects }, 'x.json'), 'its machine never started');
    refused({ subjects: result.subjects.slice(1) }, /baseline raw@ext4, which it lacks/);
  });

  test('has the schema that is published', async () => {
    const published = readFileSync(join(import.meta.dirname, '../../../docs/bench.schema.json'), 'utf8');
    assert.equal(published, await resultSchemaText(), 'run node scripts/bench-schema.ts');
  });
});
