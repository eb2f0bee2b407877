/** `tsengine bench` where something is missing or goes wrong on the way: one line before it begins, and afterwards the rest goes on. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Result, schemas } from '../../../bench/suite/schema.ts';
import { readTextIfAny } from '../../../src/linux/files.ts';
import { commandLine, processIds } from '../../../src/linux/processes.ts';
import { loopBackingFiles, makeFilesystem } from '../../helpers/loop.ts';
import { FULL } from '../../helpers/scope.ts';

const launcher = fileURLToPath(new URL('../../../bin/tsengine', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tsengine-bench-trouble-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const MIB = 1024 * 1024;

function bench(on: string, out: string, ...words: readonly string[]) {
  const all = ['bench', '--quick', '--on', on, '--out', out, ...words];
  return spawnSync(launcher, all, { encoding: 'utf8' });
}

function resultIn(out: string): Result {
  return schemas().result.parse(JSON.parse(readFileSync(`${out}/result.json`, 'utf8')));
}

/** How many samples of a subject a run that goes on has. */
function samplesOf(out: string, subject: string): number {
  const lines = (readTextIfAny(`${out}/progress.jsonl`) ?? '').split('\n');
  return lines.filter((line) => line.includes('"event":"sample"') && line.includes(`"subject":"${subject}"`))
    .length;
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !isSo(); waited += 20) {
    assert.ok(waited < 120_000, `not within two minutes: ${what}`);
    await sleep(20);
  }
}

/** The process of a run's block: that which has the stores mounted. */
function blockProcess(child: ChildProcess): number {
  const found = processIds().find(
    (pid) =>
      commandLine(pid).includes('internal-bench') &&
      commandLine(pid).some((word) => word.includes(`"owner":${child.pid}`)) &&
      (readTextIfAny(`/proc/${pid}/mountinfo`) ?? '').includes('/run/tsengine-bench/0/mounted'),
  );
  assert.ok(found !== undefined);
  return found;
}

/** Runs `harness` with overlay2 and vfs, does something once overlay2 has a sample, and gives the result. */
async function disturbed(name: string, disturb: (block: number) => void): Promise<[Result, string]> {
  const out = join(folder, name);
  const words = ['--drivers', 'overlay2,vfs', '--workloads', 'harness', '--budget', '40s'];
  const child = spawn(launcher, ['bench', '--quick', '--on', folder, '--out', out, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await until(() => samplesOf(out, 'overlay2@ext4') > 0, 'a sample of overlay2');
  disturb(blockProcess(child));
  assert.equal(await ended, 0, said);
  assert.deepEqual(
    loopBackingFiles().filter((file) => file.startsWith(folder)),
    [],
  );
  return [resultIn(out), readFileSync(`${out}/report.md`, 'utf8')];
}

/** The errors of a subject's series, and the fewest samples that one of them has. */
function stateOf({ series }: Result, subject: string) {
  const own = series.filter((one) => one.subject === subject);
  return {
    errors: own.flatMap(({ error }) => error ?? []),
    samples: Math.min(...own.map(({ samples }) => samples.length)),
  };
}

describe('on the way', () => {
  test('a driver whose disk fails is told, and the others are measured to the end', async () => {
    const [result, report] = await disturbed('failing', (block) => {
      // What the kernel does to a filesystem that it finds damaged.
      const mount = ['mount', '-o', 'remount,abort', '/run/tsengine-bench/1/mounted'];
      execFileSync('nsenter', ['-t', String(block), '-m', ...mount]);
    });
    const failed = stateOf(result, 'overlay2@ext4');
    assert.ok(failed.errors.length > 0 && failed.samples > 0, JSON.stringify(failed));
    const [error = ''] = failed.errors;
    assert.doesNotMatch(error, /there was (no )?time/);
    for (const subject of ['raw@ext4', 'vfs@ext4']) {
      const { errors, samples } = stateOf(result, subject);
      assert.deepEqual(errors, []);
      assert.ok(samples > failed.samples && samples >= 4, `${subject}: ${samples} samples`);
    }
    assert.match(report, /read-only|input\/output|Read-only|EROFS|EIO/i);
  });

  test('a process that dies takes with it what it was at, and nothing else', async () => {
    const [result] = await disturbed('killed', (block) => process.kill(block, 'SIGKILL'));
    const states = ['raw@ext4', 'overlay2@ext4', 'vfs@ext4'].map((subject) => stateOf(result, subject));
    assert.equal(states.filter(({ errors }) => errors.length > 0).length, 1, JSON.stringify(states));
    for (const { errors, samples } of states) assert.ok(errors.length > 0 || samples >= 4);
  });
});

describe('before it begins', () => {
  test('a program that is missing is one line, and nothing is made', () => {
    const out = join(folder, 'missing');
    const words = ['bench', '--quick', '--on', out, '--out', out, '--workloads', 'database'];
    // Where it is looked for is not up to PATH alone.
    const hide = 'for file in $(type -ap fio); do mount --bind /dev/null "$file"; done; exec "$@"';
    const { status, stderr, stdout } = spawnSync(
      'unshare',
      ['--mount', 'bash', '-c', hide, 'bash', launcher, ...words],
      { encoding: 'utf8' },
    );
    assert.equal(status, 125, stderr);
    assert.match(stderr, /^tsengine: .*\bfio\b.*apt-get install fio\n$/);
    assert.equal(stdout, '');
    assert.equal(existsSync(out), false);
  });

  test('what is said to be needed is enough', { skip: FULL ? false : 'npm run test:full' }, () => {
    const words = ['--drivers', 'overlay2,vfs', '--workloads', 'large.write', '--size', '64m'];
    using small = makeFilesystem('ext4', { size: 256 * MIB });
    const refused = bench(small.path, join(folder, 'room'), ...words);
    assert.equal(refused.status, 125);
    assert.deepEqual(readdirSync(small.path), []);
    const [, number, unit] = /needs up to ([\d.]+) (MiB|GiB)/.exec(refused.stderr) ?? [];
    const need = Number(number) * (unit === 'GiB' ? 1024 : 1) * MIB;
    assert.ok(need > 256 * MIB, refused.stderr);
    // Of a filesystem some is its own, and some the superuser's.
    using enough = makeFilesystem('ext4', { size: Math.ceil((need * 1.08) / MIB + 64) * MIB });
    const { status, stderr } = bench(enough.path, join(folder, 'room'), ...words, '--budget', '60s');
    assert.equal(status, 0, stderr);
    const { series } = resultIn(join(folder, 'room'));
    const failures = series.flatMap(({ error }) => error ?? []).filter((error) => !/there was /.test(error));
    assert.deepEqual(failures, []);
    assert.ok(series.every(({ samples }) => samples.length > 0));
  });
});
