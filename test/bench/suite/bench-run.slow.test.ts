/** `tsengine bench` as its users have it: real stores, real containers, and nothing of them afterwards. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { reportOf } from '../../../bench/suite/report/report.ts';
import { type Result, schemas } from '../../../bench/suite/schema.ts';
import { median, ratioEstimate, verdictOf } from '../../../bench/suite/statistics.ts';
import { readMountInfo } from '../../../src/linux/mountinfo.ts';
import { loopBackingFiles, makeFilesystem } from '../../helpers/loop.ts';
import { FULL } from '../../helpers/scope.ts';

const launcher = fileURLToPath(new URL('../../../bin/tsengine', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tsengine-bench-run-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What needs more time than a busy machine may give it. What the figures are worth is tested on made results (words, claims, compare). */
const skip = FULL ? false : 'npm run test:full';

/** What is left of runs whose stores are in our folder. */
function left(): string[] {
  return [
    ...loopBackingFiles().filter((file) => file.startsWith(folder)),
    ...readMountInfo()
      .map(({ mountPoint }) => mountPoint.toString())
      .filter((path) => path.startsWith('/run/tsengine-bench')),
    ...readdirSync(folder).filter((name) => name.startsWith('.tsengine-bench-')),
  ];
}

function bench(...words: readonly string[]) {
  return spawnSync(launcher, ['bench', '--on', folder, ...words], { encoding: 'utf8' });
}

function resultIn(out: string): Result {
  return schemas().result.parse(JSON.parse(readFileSync(`${out}/result.json`, 'utf8')));
}

/** The values of a workload of a subject, at all points together. */
function values(result: Result, subject: string, workload: string): number[] {
  return result.series
    .filter((one) => one.subject === subject && one.workload === workload)
    .flatMap(({ samples }) => samples.map(({ value }) => value));
}

function started(out: string, ...words: readonly string[]): ChildProcess {
  const all = ['bench', '--on', folder, '--quick', '--out', out, ...words];
  return spawn(launcher, all, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function untilSamples(out: string, count: number): Promise<void> {
  const path = `${out}/progress.jsonl`;
  const samples = (): number =>
    existsSync(path) ? readFileSync(path, 'utf8').split('"event":"sample"').length - 1 : 0;
  for (let waited = 0; samples() < count; waited += 100) {
    assert.ok(waited < 120_000, 'no sample came within two minutes');
    await sleep(100);
  }
}

async function untilNothingIsLeft(): Promise<void> {
  for (let waited = 0; left().length > 0 && waited < 20_000; waited += 100) await sleep(100);
  assert.deepEqual(left(), []);
}

describe('a run', () => {
  const out = join(folder, 'run');

  test('measures drivers beside the filesystem, and leaves its result alone', () => {
    const { status, stdout, stderr } = bench(
      ...[
        '--quick',
        '--drivers',
        'overlay2,btrfs,vfs',
        '--workloads',
        'harness',
        '--budget',
        '20s',
        '--out',
        out,
      ],
    );
    assert.equal(status, 0, stderr);
    const result = resultIn(out);
    assert.equal(result.interrupted, false);
    for (const { id, failed } of result.subjects) {
      assert.equal(failed, null);
      assert.ok(values(result, id, 'harness.run').every((value) => value > 10));
      assert.ok(values(result, id, 'harness.call').every((value) => value > 0));
    }
    assert.deepEqual(
      result.subjects.map(({ id }) => id),
      ['raw@ext4', 'overlay2@ext4', 'raw@btrfs', 'btrfs@btrfs', 'vfs@ext4'],
    );
    assert.match(stdout, /^What the literature says: 13 are not measurable here$/m);
    assert.match(stdout, /^written: .*\/result\.json, .*\/report\.md, .*\/report\.html, .*\n$/m);
    assert.match(stderr, /^tsengine: 0 %, \d+ s left at most: /m);
    assert.deepEqual(readdirSync(out).includes('progress.jsonl'), false);
    assert.deepEqual(left(), []);
  });
});

test('copying up takes what the file has on overlay2, and next to nothing on btrfs', { skip }, () => {
  const out = join(folder, 'copy-up');
  const words = ['--quick', '--drivers', 'overlay2,btrfs', '--workloads', 'copy-up.byte', '--budget', '40s'];
  const { status, stderr } = bench(...words, '--out', out);
  assert.equal(status, 0, stderr);
  const result = resultIn(out);
  const at = (subject: string): number[] =>
    result.series
      .filter(({ workload, point }) => workload === 'copy-up.byte.space' && point.lower === 64 * 1024 * 1024)
      .filter((one) => one.subject === subject)
      .flatMap(({ samples }) => samples.map(({ value }) => value));
  assert.ok(median(at('overlay2@ext4')) >= 64 * 1024 * 1024);
  assert.ok(median(at('btrfs@btrfs')) < 1024 * 1024);
});

test('a run that is killed leaves nothing, and the same command goes on from there', async () => {
  const out = join(folder, 'killed');
  const words = ['--drivers', 'overlay2', '--workloads', 'harness', '--budget', '60s'];
  const child = started(out, ...words);
  await untilSamples(out, 2);
  child.kill('SIGKILL');
  await untilNothingIsLeft();
  const before = readFileSync(`${out}/progress.jsonl`, 'utf8').split('"event":"sample"').length - 1;
  const again = bench('--quick', '--quiet', '--out', out, ...words);
  assert.equal(again.status, 0, again.stderr);
  assert.match(again.stdout, /^written: [^\n]*\n$/, 'quiet it says only where things are');
  assert.equal(again.stderr, '');
  const count = resultIn(out).series.reduce((sum, { samples }) => sum + samples.length, 0);
  assert.ok(count > before, `${count} samples, of which ${before} were there before`);
});

test('Ctrl-C writes what is done', async () => {
  const out = join(folder, 'interrupted');
  const words = ['--drivers', 'overlay2', '--workloads', 'harness', '--budget', '60s'];
  const child = started(out, ...words);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await untilSamples(out, 2);
  child.kill('SIGINT');
  assert.equal(await ended, 130);
  const result = resultIn(out);
  assert.equal(result.interrupted, true);
  assert.ok(result.series.some(({ samples }) => samples.length > 0));
  await untilNothingIsLeft();
  const other = bench('--quick', '--out', out, '--drivers', 'vfs', '--workloads', 'harness');
  assert.equal(other.status, 125);
  assert.match(
    other.stderr,
    /holds a run that was not finished: go on with it by 'tsengine bench --quick [^']*--on \/[^']* --out \/[^']*'/,
  );
});

test('a driver that is slowed down is found, and one that is there twice is not another', { skip }, () => {
  const out = join(folder, 'self');
  const { status, stderr } = bench(
    ...['--quick', '--self-test', '--drivers', 'vfs', '--workloads', 'large.write.seq.fsync'],
    ...['--size', '16m', '--budget', '60s', '--out', out],
  );
  assert.equal(status, 0, stderr);
  const result = resultIn(out);
  const ratio = (subject: string) =>
    ratioEstimate(
      values(result, subject, 'large.write.seq.fsync'),
      values(result, 'vfs@ext4', 'large.write.seq.fsync'),
    );
  const slowed = ratio('vfs-slowed@ext4');
  assert.equal(verdictOf(slowed, 1.05), 'smaller', JSON.stringify(slowed));
  // It may be larger or smaller by chance once in twenty times, but not by half.
  const again = ratio('vfs-again@ext4');
  assert.ok(again.low < 1.5 && again.high > 1 / 1.5, JSON.stringify(again));
  // And so it is in the words of the report.
  const [found] = reportOf(result).advice;
  assert.match(found?.text ?? '', / times vfs-slowed@ext4 \(/);
  assert.doesNotMatch(found?.text ?? '', /^vfs-slowed/);
});

describe('what cannot be is one line', () => {
  const cases: readonly (readonly [words: readonly string[], message: RegExp])[] = [
    [['--workloads', 'nonsense'], /there is no workload nonsense: see tsengine bench list/],
    [['--drivers', 'overlay3'], /overlay3/],
    [['--peer', 'rkt'], /rkt/],
    [['--quick', '--full'], /exclude each other/],
    [['--budget', 'soon'], /90s, 20m or 2h/],
    [['--size', '10'], /1m to 64g/],
    [['--out', '/proc/nowhere/at-all', '--workloads', 'harness', '--quick'], /\/proc\/nowhere/],
  ];
  test('a disk that is too small for the sizes asked for', () => {
    using small = makeFilesystem('ext4', { size: 512 * 1024 ** 2 });
    const words = ['--size', '1g', '--workloads', 'large-files', '--drivers', 'vfs,overlay2'];
    const { status, stderr } = bench('--out', join(folder, 'bad'), ...words, '--on', small.path);
    assert.equal(status, 125, stderr);
    assert.match(stderr, /^tsengine: .*it needs up to .* GiB in .*, and .* are free.*\n$/);
    assert.deepEqual(readdirSync(small.path), []);
  });
  for (const [words, message] of cases)
    test(words.join(' '), () => {
      const { status, stderr } = bench('--out', join(folder, 'bad'), ...words);
      assert.equal(status, 125, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /^\s+at /m);
    });
});
