/** `logs` of containers that ran under Docker, against what its own client shows of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { type Docker, dockerMissing, startDocker } from '../../helpers/docker.ts';
import { leftOut, sampleOf } from '../../helpers/scope.ts';

const launcher = fileURLToPath(new URL('../../../bin/tsengine', import.meta.url));
const ROTATED = ['--log-opt', 'max-size=2k', '--log-opt', 'max-file=4', '-l', 'a=b', '--log-opt', 'labels=a'];
const COMPRESSED = [...ROTATED, '--log-opt', 'compress=true'];
const SYSLOG = ['--log-driver', 'syslog', '--log-opt', 'syslog-address=udp://127.0.0.1:9'];
/** The pause gives Docker the time to compress, during which it rotates no further. */
const NUMBERS = 'seq 1 60; sleep 1; seq 61 100';

/** Containers, with the flags that they run under Docker with and what they do. */
const CONTAINERS: Readonly<Record<string, readonly string[]>> = {
  rotated: [...ROTATED, 'tiny', 'seq', '1', '100'],
  compressed: [...COMPRESSED, 'tiny', 'sh', '-c', NUMBERS],
  once: ['tiny', 'seq', '1', '10'],
  none: ['--log-driver', 'none', 'tiny', 'seq', '1', '10'],
  local: ['--log-driver', 'local', 'tiny', 'seq', '1', '10'],
  cached: [...SYSLOG, 'tiny', 'seq', '1', '10'],
  syslog: [...SYSLOG, '--log-opt', 'cache-disabled=true', 'tiny', 'seq', '1', '10'],
};
const FILES = ['rotated', 'compressed', 'once'];
const ALL_FLAGS = [
  '',
  '-f',
  '-t',
  '--details',
  '-f -t --tail 30',
  ...['0', '1', '3', '40', '60', '75', '1000'].map((tail) => `--tail ${tail}`),
  ...['SINCE', '1h'].map((time) => `--since ${time}`),
  '--since SINCE -t --tail 50',
  '--until UNTIL',
  '--since SINCE --until UNTIL --details',
];

/** The flags that this run asks with of one container: in a sample others of each. */
function flagsFor(name: string): readonly string[] {
  return sampleOf(ALL_FLAGS, { oneIn: 6, kindOf: (flags) => flags.replace(/[ =].*/, ''), of: name });
}

interface Shown {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('logs of containers that ran under Docker', { skip: dockerMissing() ?? false }, () => {
  const base = mkdtempSync(`${tmpdir()}/ts-dklogs-`);
  const theirs = new Map<string, Shown>();
  const times = new Map<string, readonly [string, string]>();

  const tsengine = (...words: string[]): Shown => {
    const roots = ['--data-root', `${base}/data`, '--exec-root', `${base}/exec`];
    const ended = spawnSync(launcher, [...roots, '-s', 'overlay2', ...words], { encoding: 'utf8' });
    return { code: ended.status, stdout: ended.stdout, stderr: ended.stderr };
  };

  /** The words of a command, with times that lie within what the container wrote. */
  const wordsFor = (name: string, flags: string): string[] => {
    const [since = '', until = ''] = times.get(name) ?? [];
    const words = flags.split(' ').filter((word) => word !== '');
    return [
      'logs',
      ...words.map((word) => (word === 'SINCE' ? since : word === 'UNTIL' ? until : word)),
      name,
    ];
  };

  const noteTimes = async (docker: Docker, name: string): Promise<void> => {
    const lines = (await docker('logs', '-t', name)).split('\n').map((line) => line.split(' ')[0] ?? '');
    times.set(name, [lines.at(Math.floor(lines.length / 4)) ?? '', lines.at(-5) ?? '']);
  };

  before(async () => {
    await using docker = await startDocker({ dataRoot: `${base}/data` });
    await docker('import', await tinyRootfs(), 'tiny:latest');
    for (const [name, words] of Object.entries(CONTAINERS))
      await docker.try(['run', '--network', 'none', '--name', name, ...words]);
    for (const name of FILES) {
      await noteTimes(docker, name);
      for (const flags of new Set(['', ...flagsFor(name)]))
        theirs.set(`${name} ${flags}`, await docker.try(wordsFor(name, flags)));
    }
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  for (const name of FILES) {
    test(`what Docker shows of ${name} is shown, by every flag`, (t) => {
      const taken = flagsFor(name);
      for (const flags of taken)
        assert.deepEqual(tsengine(...wordsFor(name, flags)), theirs.get(`${name} ${flags}`), `logs ${flags}`);
      t.diagnostic(`${taken.length} command lines${leftOut(taken.length, ALL_FLAGS.length)}`);
    });
  }

  test('what is not in files that are read here is refused in one line', () => {
    const refusals = {
      none: 'configured logging driver does not support reading',
      syslog: 'configured logging driver does not support reading',
      local:
        'cannot read the log of container local: Docker wrote it with its log driver local: read it with docker logs',
      cached:
        'cannot read the log of container cached: Docker wrote it with its log driver syslog: read it with docker logs',
    };
    for (const [name, message] of Object.entries(refusals))
      assert.deepEqual(tsengine('logs', name), { code: 1, stdout: '', stderr: `tsengine: ${message}\n` });
  });

  test('a container that then ran here shows that, and says what is missing', () => {
    for (const name of ['local', 'syslog', 'rotated']) assert.equal(tsengine('start', '-a', name).code, 0);
    const { code, stdout, stderr } = tsengine('logs', '--tail', '1', 'local');
    assert.deepEqual([code, stdout], [0, '10\n']);
    assert.match(
      stderr,
      /^WARNING: container local: what it wrote under Docker is not shown, .*docker logs\n$/,
    );
    assert.deepEqual(tsengine('logs', '--tail', '1', 'syslog'), { code: 0, stdout: '10\n', stderr: '' });
    const ran = Array.from({ length: 100 }, (_, index) => `${index + 1}\n`).join('');
    assert.equal(tsengine('logs', 'rotated').stdout, `${theirs.get('rotated ')?.stdout}${ran}`);
  });
});
