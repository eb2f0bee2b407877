/** Cells on the kernel of this machine, as the command runs them: one driver on a filesystem that serves and on two that do not. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DRIVER_NAMES } from '../../src/drivers/registry.ts';
import { parseEventLine } from '../../src/lab/matrix/events.ts';
import { Findings } from '../../src/lab/matrix/findings.ts';
import { runInMachines } from '../../src/lab/matrix/machine-runs.ts';
import { matrixText, readMatrix } from '../../src/lab/matrix/matrix-file.ts';
import { mustBeSameCode, packCode } from '../../src/lab/matrix/packed-code.ts';
import { BACKINGS } from '../../src/lab/matrix/schema.ts';
import { codeIdentity } from '../../src/lab/matrix/self.ts';
import { commandLine, processIds } from '../../src/linux/processes.ts';
import { loopBackingFiles } from '../helpers/loop.ts';
import { cell, kernel, matrix as sample } from '../helpers/matrix-samples.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tsengine-cells-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function matrix(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(launcher, ['lab', 'matrix', ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** What a run could leave: mounts and loop devices that lead into its folder. */
function left(out: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [...mounts, ...loopBackingFiles()].filter((line) => line.includes(out));
}

/** The kernel detaches after the process has ended, in its own time. */
async function nothingLeft(out: string): Promise<void> {
  for (let look = 0; left(out).length > 0 || running(out).length > 0; look++) {
    assert.ok(look < 1200, [...left(out), ...running(out)].join('\n'));
    await sleep(50);
  }
}

function running(out: string): string[] {
  return processIds()
    .map((pid) => commandLine(pid).join(' '))
    .filter((line) => line.includes(out) && line.includes('internal-lab-cells'));
}

describe('a matrix of this machine', () => {
  // What mount options, lists of layers and NFS exports end at, and no path of a driver may have.
  const out = `${folder}/out of: this, now`;
  const words = ['--drivers', 'overlay2', '--backing', 'tmpfs,squashfs,fuse', '--out', out];

  test('tells what works and what the driver refuses, in all three forms', async () => {
    const { status, stdout, stderr } = matrix(...words);
    assert.equal(status, 0, `${stdout}${stderr}`);
    const told = stderr.trimEnd().split('\n');
    assert.equal(told.length, 3, stderr);
    for (const [index, line] of told.entries())
      assert.match(line, new RegExp(`^\\[${index + 1}/3\\] host  overlay2 on \\w+: (works|refused)`));
    assert.match(stdout, /^host \([^)]+\): 1 works, 2 refused\nwritten: /);
    const [kernel, ...more] = readMatrix(`${out}/matrix.json`).kernels;
    assert.equal(more.length, 0);
    assert.ok(kernel !== undefined && kernel.error === null);
    const [tmpfs, squashfs, fuse] = kernel.cells;
    assert.equal(tmpfs?.status, 'works');
    assert.ok(tmpfs.tests.passed > 50 && tmpfs.tests.failed === 0);
    assert.match(tmpfs.log, /^# without the checks that take long/m);
    assert.match(squashfs?.reasons.join() ?? '', /read-only file system/);
    assert.match(fuse?.reasons.join() ?? '', /^'overlay2' is not supported over fuse/);
    const answers = new Map(
      kernel.features.filter(({ backing }) => backing === 'tmpfs').map(({ name, answer }) => [name, answer]),
    );
    assert.equal(answers.get('d_type'), 'yes');
    assert.equal(answers.get('native diff'), 'yes');
    assert.equal(answers.get('500 layers'), 'yes');
    assert.equal(answers.get('xino'), 'yes');
    assert.doesNotMatch(JSON.stringify(kernel), new RegExp(folder), 'a path of this machine is in it');
    assert.match(readFileSync(`${out}/matrix.md`, 'utf8'), /\| overlay2 \| works/);
    assert.match(readFileSync(`${out}/matrix.html`, 'utf8'), /class="cell works"/);
    assert.deepEqual(readdirSync(out).sort(), ['matrix.html', 'matrix.json', 'matrix.md', 'progress.jsonl']);
    await nothingLeft(out);
  });

  test('that is started again does nothing twice', () => {
    const { status, stdout, stderr } = matrix(...words, '--quiet');
    assert.deepEqual([status, stderr], [0, ''], stdout);
    // Each line begins with what it is good for. Whoever edits the sources meanwhile makes them other code.
    const done = readFileSync(`${out}/progress.jsonl`, 'utf8')
      .trimEnd()
      .split('\n')
      .map(
        (line) =>
          `${line.slice(0, line.indexOf('}'))} ${/"(?:features|driver)":.*?"backing":"?\w+/.exec(line)?.[0]}`,
      );
    assert.ok(done.length >= 8, done.join('\n'));
    assert.equal(new Set(done).size, done.length, done.join('\n'));
  });

  test('is compared with another one: exit code 1 on a regression, 0 else', () => {
    const file = `${out}/matrix.json`;
    assert.deepEqual(matrix('--diff', file, file), {
      status: 0,
      stdout: 'nothing has changed\n',
      stderr: '',
    });
    const worse = `${folder}/worse.json`;
    writeFileSync(worse, readFileSync(file, 'utf8').replace('"status": "works"', '"status": "failed"'));
    const { status, stdout } = matrix('--diff', file, worse);
    assert.equal(status, 1);
    assert.match(
      stdout,
      /^REGRESSION {2}host, overlay2 on tmpfs: works -> failed\n1 regression, 0 better, 0 other\n$/,
    );
    assert.equal(matrix('--diff', worse, file).status, 0);
    const short = matrix('--diff', '--quiet', file, worse);
    assert.deepEqual([short.status, short.stdout], [1, stdout.replaceAll(/^(?!REGRESSION {2}).*\n/gm, '')]);
    assert.notEqual(short.stdout, '');
    assert.equal(matrix('--diff', '--quiet', worse, file).stdout, '');
    // Nothing in common: neither a regression nor none.
    const [one, two] = ['one', 'two'].map((name) => {
      const text = readFileSync(file, 'utf8');
      const { kernels, ...rest } = JSON.parse(text);
      const path = `${folder}/${name}.json`;
      const renamed = ['a', 'b'].map((letter) => ({ ...kernels[0], name: `${name}-${letter}` }));
      writeFileSync(path, JSON.stringify({ ...rest, kernels: renamed }));
      return path;
    });
    const strangers = matrix('--diff', one ?? '', two ?? '');
    assert.deepEqual([strangers.status, strangers.stdout], [125, '']);
    assert.match(
      strangers.stderr,
      /^tsengine: [^\n]* share no kernel[^\n]*one has one-a, one-b, the other two-a, two-b\n$/,
    );
    const missing = matrix('--diff', file, `${folder}/none.json`);
    assert.equal(missing.status, 125, 'no regression, but a file that is not there');
    assert.match(missing.stderr, /cannot read a matrix from .*none\.json/);
  });

  test('that could run nothing says why, and leaves what was there', () => {
    const before = readFileSync(`${out}/matrix.json`, 'utf8');
    const none = matrix('--kernels', launcher, '--drivers', 'vfs', '--out', out);
    assert.equal(none.status, 125);
    assert.match(none.stderr, /^tsengine: [^\n]* is not a Linux kernel [^\n]*\n$/);
    assert.equal(readFileSync(`${out}/matrix.json`, 'utf8'), before);
    for (const [flags, words] of [
      [['--withhold', 'overlay'], /--withhold is for virtual machines/],
      [['--modules', '/lib'], /--modules goes with a kernel of your own/],
      [['--initrd', '/boot/initrd'], /--initrd goes with a kernel of your own/],
    ] as const) {
      const { status, stderr } = matrix(...flags);
      assert.equal(status, 125);
      assert.match(stderr, words);
    }
  });

  test('that is killed leaves nothing mounted and nothing running, and the next one goes on', async () => {
    const killed = `${folder}/killed`;
    const args = ['lab', 'matrix', '--drivers', 'overlay2', '--backing', 'ext4', '--out', killed];
    const child = spawn(launcher, args, { stdio: 'ignore' });
    const ended = once(child, 'exit');
    // Until a filesystem on a loop device is there, or it has ended unasked.
    while (child.exitCode === null && !left(killed).some((line) => line.includes('image-ext4')))
      await sleep(20);
    assert.equal(child.exitCode, null, 'it ended by itself');
    child.kill('SIGKILL');
    await ended;
    await nothingLeft(killed);
    assert.notDeepEqual(readdirSync(killed), []);
    // What is known goes on, what a dead run left goes, and an interrupt is told.
    const second = spawn(launcher, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    second.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const closed = once(second, 'close');
    while (second.exitCode === null && !left(killed).some((line) => line.includes('image-ext4')))
      await sleep(20);
    second.kill('SIGINT');
    await closed;
    assert.equal(second.exitCode, 130, said);
    assert.match(said, /^tsengine: got SIGINT: what is done is kept/);
    await nothingLeft(killed);
    assert.equal(readdirSync(killed).includes('.tsengine-matrix-images'), false);
  });
});

test('a filesystem whose program is not installed was not tried, which is nothing of the kernel’s', () => {
  const work = `${folder}/hidden`;
  mkdirSync(work);
  const request = JSON.stringify({ cell: { driver: 'vfs', backing: 'xfs' }, work, slow: false });
  // Where mkfs.xfs is; mount(8) and what starts us are elsewhere.
  const script = 'mount -t tmpfs tmpfs /usr/sbin && exec "$0" internal-lab-cells --isolated "$1"';
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const words = [...namespaces, '--', 'sh', '-c', script, launcher, request];
  const { stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8' });
  const told = stdout.split('\n').map(parseEventLine);
  const found = told.find((event) => event?.event === 'cell');
  assert.ok(found?.event === 'cell', stderr);
  const { status, unavailableOf, reasons } = found.cell;
  assert.deepEqual(
    [status, unavailableOf, reasons],
    ['unavailable', 'lab', ['xfs was not tried: mkfs.xfs is not installed: apt-get install xfsprogs']],
  );
});

test('what cannot be run is told in one line before anything is made', () => {
  const out = `${folder}/never`;
  const [brief, full] = [`${folder}/brief.json`, `${folder}/full.json`];
  writeFileSync(brief, matrixText(sample(kernel())));
  writeFileSync(full, matrixText({ ...sample(kernel()), slow: true }));
  const [twins, twinCells] = [`${folder}/twins.json`, `${folder}/twin-cells.json`];
  writeFileSync(twins, matrixText(sample(kernel(), kernel())));
  writeFileSync(twinCells, matrixText(sample(kernel({ cells: [cell(), cell({ status: 'failed' })] }))));
  const [taken, noted] = [`${folder}/taken`, `${folder}/noted`];
  mkdirSync(`${taken}/matrix.html`, { recursive: true });
  mkdirSync(`${noted}/progress.jsonl`, { recursive: true });
  const wrong: readonly (readonly [words: readonly string[], status: number, message: RegExp])[] = [
    [['--kernels', 'nonsense'], 125, /there is no kernel nonsense/],
    [['--kernels', 'debian:9.9'], 125, /there is no kernel debian:9.9/],
    [['--kernels', '/nonsense'], 125, /no kernel is at \/nonsense/],
    [['--drivers', 'nonsense'], 125, /unknown storage driver "nonsense"/],
    [['--backing', 'ext4,,xfs'], 125, /^invalid argument "ext4,,xfs" for "--backing" flag: a name is empty$/],
    [['--backing', ''], 125, /a name is empty/],
    [['--drivers', ''], 125, /a name is empty/],
    [['--out', ''], 125, /it must name a folder/],
    [['--out', taken], 125, /cannot write to --out .*: matrix\.html is a folder there/],
    [['--out', noted], 125, /cannot write to --out: .*progress\.jsonl: is a directory/],
    [['--diff', brief, twins], 125, /twins\.json is no matrix: it has the kernel .* twice/],
    [['--diff', brief, twinCells], 125, /is no matrix: it has .* on .* of the kernel .* twice/],
    [['--diff', brief, '/dev/zero'], 125, /from \/dev\/zero: it is larger than 256 MiB/],
    [['--backing', 'ntfs'], 125, /unknown backing filesystem "ntfs"/],
    [
      ['--kernels', 'debian:6.1', '--withhold', 'squashfs'],
      125,
      /module squashfs cannot be withheld: the lab's machines start/,
    ],
    [['--jobs', '0'], 125, /give a whole number above zero/],
    [['--memory', '1m'], 125, /too few for a machine: give it 128M or more/],
    [['--memory', '1024t'], 125, /more memory than this machine has itself/],
    [['--cell-timeout', '99999999'], 125, /give 1000000 or less/],
    [['matrix.json'], 125, /takes two files with --diff/],
    [['--diff', 'matrix.json'], 125, /takes two files/],
    [['--diff', 'a', 'b', '--jobs', '2'], 125, /--diff' runs nothing, and takes no --jobs/],
    [['--diff', 'a', 'b', 'c'], 125, /^"tsengine lab matrix" requires at most 2 arguments\.$/],
    [
      ['--diff', brief, full],
      125,
      /full\.json was made with --full and .*brief\.json without: .*make both alike/,
    ],
    [['--diff', `${folder}/a`, `${folder}/b`], 125, /cannot read a matrix from .*no such file/],
  ];
  for (const [words, status, message] of wrong) {
    const ended = matrix('--out', out, ...words);
    assert.deepEqual([ended.status, ended.stdout], [status, ''], ended.stderr);
    const [line = '', ...more] = ended.stderr.trimEnd().split('\n');
    assert.match(line, message);
    assert.ok(
      more.every((one) => /^(See 'tsengine lab matrix --help'|$|Usage: {2}|Try every)/.test(one)),
      ended.stderr,
    );
    assert.equal(existsSync(out), false);
  }
  // Before any machine is started.
  const words = ['lab', 'matrix', '--kernels', 'debian:6.1,host', '--out', out];
  const user = spawnSync(launcher, words, { encoding: 'utf8', uid: 65534, gid: 65534 });
  assert.deepEqual([user.status, user.stdout], [125, '']);
  assert.match(user.stderr, /^tsengine: the matrix mounts filesystems [^\n]*: run it with sudo\n$/);
  assert.equal(existsSync(out), false);
  const { stdout: help } = matrix('--help');
  for (const words of [
    /^Examples:\n {2}tsengine lab matrix /m,
    /docs\/lab-matrix\.md/,
    /matrix\.json/,
    /^Exit code: 1 /m,
  ])
    assert.match(help, words);
  for (const name of [...DRIVER_NAMES, ...BACKINGS]) assert.match(help, new RegExp(`\\b${name}\\b`));
  // A difference that nobody could read is no verdict.
  const unheard = spawnSync('sh', ['-c', '"$0" lab matrix --diff "$1" "$1" >/dev/full', launcher, brief], {
    encoding: 'utf8',
  });
  assert.equal(unheard.status, 125);
  assert.match(unheard.stderr, /^tsengine: write standard output: no space left on device\n$/);
  const proc = matrix('--out', '/proc/nothing');
  assert.deepEqual([proc.status, proc.stdout], [125, '']);
  assert.match(proc.stderr, /^tsengine: cannot write to --out: [^\n]+\n$/);
});

test('code that is packed has a name, the same for the same; other code than that of the start is refused', async () => {
  const context = { progress: () => undefined, signal: undefined };
  const { disk, identity } = await packCode(`${folder}/code`, context);
  assert.ok(existsSync(disk));
  assert.match(identity, /^[0-9a-f]{32}$/);
  mustBeSameCode(codeIdentity());
  assert.throws(() => mustBeSameCode('other'), {
    code: 'Conflict',
    message: /was changed while the matrix ran/,
  });
});

test('what the lab cannot do is told as its own failure: nothing is known of the kernel, nor that it has no ZFS', async () => {
  const before = process.env.TSENGINE_LAB_CACHE;
  process.env.TSENGINE_LAB_CACHE = '/proc/none';
  try {
    const findings = new Findings({ cells: [{ driver: 'vfs', backing: 'zfs' }], features: ['zfs'] }, []);
    const failure = await runInMachines('debian:6.1', findings, {
      ...{
        slow: false,
        limitMs: 1000,
        machines: 1,
        memory: undefined,
        signal: undefined,
        withheldModules: [],
      },
      ...{ code: undefined, emit: (event) => findings.take(event), note: () => undefined },
    });
    assert.equal(failure?.of, 'lab');
    assert.match(failure.error, /^cannot use the lab's cache/);
    const { cells, features, errorOf } = findings.result('debian:6.1', failure);
    assert.deepEqual([cells, features, errorOf], [[], [], 'lab']);
  } finally {
    if (before === undefined) delete process.env.TSENGINE_LAB_CACHE;
    else process.env.TSENGINE_LAB_CACHE = before;
  }
});
