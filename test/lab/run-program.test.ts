import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { reasonOf, runProgram } from '../../src/lab/run-program.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';
import { commandLine, processIds } from '../../src/linux/processes.ts';
import { until } from '../helpers/until.ts';

const purpose = 'cannot do it';

describe('a program of the lab', () => {
  test('gives what it wrote', async () => {
    const { stdout, stderr } = await runProgram('sh', ['-c', 'echo out; echo err >&2'], { purpose });
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
  });

  test('that fails says why in one line', async () => {
    const script = 'echo working; echo "E: Unable to locate package x" >&2; echo; exit 100';
    await assert.rejects(runProgram('sh', ['-c', script], { purpose }), {
      message: 'cannot do it: Unable to locate package x',
    });
    await assert.rejects(runProgram('false', [], { purpose }), {
      message: 'cannot do it: false ended with 1',
    });
  });

  test('that is not installed is named with its package', async () => {
    const message = 'cannot do it: no-such-tool is not installed: apt-get install no-such-tool';
    await assert.rejects(runProgram('no-such-tool', [], { purpose }), { message });
  });

  test('is found where root has its programs, whatever the PATH', async () => {
    const { PATH } = process.env;
    try {
      process.env.PATH = '/nonexistent';
      await runProgram('mke2fs', ['-V'], { purpose });
    } finally {
      process.env.PATH = PATH;
    }
  });

  test('that is contained takes with it what it started and mounted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-contained-'));
    const mark = `3${process.pid}`;
    const started = () => processIds().filter((pid) => commandLine(pid).includes(mark));
    try {
      const controller = new AbortController();
      const script = `mount -t tmpfs none "$0" && touch "$0/made" && { sleep ${mark} & sleep ${mark}; }`;
      const options = { purpose, contained: true, signal: controller.signal };
      const run = runProgram('sh', ['-c', script, folder], options);
      await until(() => started().length === 2);
      controller.abort(new Error('enough'));
      await assert.rejects(run, { message: 'enough' });
      await until(() => started().length === 0);
      assert.deepEqual(readdirSync(folder), []);
      assert.ok(readMountInfo().every(({ mountPoint }) => mountPoint.toString() !== folder));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('ends when it is told to', async () => {
    const controller = new AbortController();
    const run = runProgram('sleep', ['1000'], { purpose, signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(run, { message: 'enough' });
  });
});

test('the best line of what a program said is found', () => {
  assert.equal(
    reasonOf('a\nwrite: No space left on device\nE: Sub-process failed\n'),
    'write: No space left on device',
  );
  const expired =
    'Release file for http://mirror/dists/sid/InRelease is expired (invalid since 23d). Updates will not be applied.';
  assert.equal(
    reasonOf(
      `Get:1 http://mirror sid\nE: ${expired}\nE: apt-get update --error-on=any failed\nI: waiting\nE: mmdebstrap failed to run\n`,
    ),
    expired,
  );
  const full = "You don't have enough free space in /var/cache/apt/archives/.";
  assert.equal(reasonOf(`E: ${full}\nE: apt-get install failed: process exited with 100\n`), full);
  assert.equal(reasonOf('one\n\ntwo\n'), 'two');
  assert.equal(reasonOf(' \n'), undefined);
});
