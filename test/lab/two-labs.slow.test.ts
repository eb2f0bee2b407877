/** Two labs at once on one cache, with machines that run at the same time: neither hurts the other. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type EntryPlan, LabCache } from '../../src/lab/cache.ts';
import { debianMirror } from '../../src/lab/debian-sources.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));
const CONTEXT = { progress: () => undefined, signal: undefined };

/** An entry that takes a while to remove. */
const LARGE: EntryPlan = {
  kind: 'root',
  label: 'large',
  madeOf: ['large'],
  make: async (folder) => {
    for (let outer = 0; outer < 60; outer += 1) {
      const path = join(folder, `d${outer}`);
      mkdirSync(path);
      for (let inner = 0; inner < 8; inner += 1) writeFileSync(join(path, `${inner}`), '');
    }
    return {};
  },
};

test('entries are removed and made anew while another lab starts machines', async () => {
  const path = mkdtempSync(join(tmpdir(), 'lab-cache-'));
  const starter = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'machine-starter.ts'), path],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let complaint = '';
  starter.stderr.on('data', (data: Buffer) => {
    complaint += data.toString();
  });
  const ended = once(starter, 'exit');
  try {
    await Promise.race([once(starter.stdout, 'data'), ended]);
    const cache = new LabCache(CONTEXT, path);
    for (let round = 0; round < 4; round += 1) {
      const entry = await cache.hold(LARGE, round % 2 === 1);
      entry[Symbol.dispose]();
      if (round % 2 === 1) cache.remove(entry.name);
    }
  } finally {
    starter.stdin.end();
    const [code] = await ended;
    assert.deepEqual([code, complaint], [0, '']);
    rmSync(path, { recursive: true });
  }
});

test('a machine without package lists is asked for its mirror by several at once', async () => {
  const path = mkdtempSync(join(tmpdir(), 'lab-apt-'));
  const before = process.env.APT_CONFIG;
  try {
    // A repository of Debian's by what its Release file says, with nothing in it.
    const repository = join(path, 'repository');
    mkdirSync(join(repository, 'dists/bookworm/main/binary-amd64'), { recursive: true });
    const release = ['Origin: Debian', 'Codename: bookworm', 'Suite: stable', 'Components: main'];
    const more = ['Architectures: amd64', 'Date: Sat, 01 Jan 2022 00:00:00 UTC'];
    const empty = 'd41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages';
    writeFileSync(join(repository, 'dists/bookworm/main/binary-amd64/Packages'), '');
    writeFileSync(
      join(repository, 'dists/bookworm/Release'),
      `${[...release, ...more, 'MD5Sum:', ` ${empty}`].join('\n')}\n`,
    );
    const list = join(path, 'sources.list');
    writeFileSync(list, `deb [trusted=yes] file:${repository} bookworm main\n`);
    const config = [
      `Dir::Etc::SourceList "${list}";`,
      'Dir::Etc::SourceParts "/dev/null";',
      `Dir::State::Lists "${join(path, 'no-lists')}";`,
      'Acquire::AllowInsecureRepositories "true";',
      'Acquire::AllowWeakRepositories "true";',
    ];
    writeFileSync(join(path, 'apt.conf'), config.join('\n'));
    process.env.APT_CONFIG = join(path, 'apt.conf');
    const ask = () => debianMirror(new LabCache(CONTEXT, join(path, 'cache')), CONTEXT);
    const mirrors = await Promise.all([ask(), ask()]);
    for (const mirror of mirrors) assert.equal(mirror.uri, `file:${repository}/`);
  } finally {
    if (before === undefined) delete process.env.APT_CONFIG;
    else process.env.APT_CONFIG = before;
    rmSync(path, { recursive: true });
  }
});

/** A lab whose machine says `here`, then gives back what it reads. */
function startLab() {
  const machine = ['--kernel', 'debian:6.1', '--cpus', '1', '--memory', '256M', '--boot-timeout', '600'];
  const words = ['lab', 'run', '--quiet', '-i', ...machine, '--timeout', '600', '--', 'sh', '-c'];
  const child = spawn(launcher, [...words, 'echo here; cat'], { stdio: 'pipe' });
  // One that failed does not read what it is given.
  child.stdin.on('error', () => undefined);
  const said = { stdout: '', stderr: '' };
  const here = Promise.withResolvers<void>();
  child.stdout.on('data', (data: Buffer) => {
    said.stdout += data.toString();
    here.resolve();
  });
  child.stderr.on('data', (data: Buffer) => {
    said.stderr += data.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code, ...said }));
  void ended.then(() => here.resolve());
  return { input: child.stdin, here: here.promise, ended };
}

test('two machines run at the same time, and each is its own', { timeout: 1_800_000 }, async () => {
  const labs = [startLab(), startLab()];
  // Both are at their command before either gets what ends it.
  await Promise.all(labs.map(({ here }) => here));
  for (const [index, { input }] of labs.entries()) input.end(`machine ${index}\n`);
  assert.deepEqual(
    await Promise.all(labs.map(({ ended }) => ended)),
    labs.map((_, index) => ({ code: 0, stdout: `here\nmachine ${index}\n`, stderr: '' })),
  );
});
