/**
 * Machines with Debian's 6.1, which really boot, under software emulation where nothing else is there. Each test is one
 * machine, so each looks at many things. Nothing here measures time: a busy machine takes what it takes.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MachineError } from '../../src/lab/lab.ts';
import { FULL } from '../helpers/scope.ts';
import { type Gathered, type GatheredRequest, inMachine } from './in-machine.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

/** Runs a script in a machine with 6.1. */
const run = (script: string, request: Partial<GatheredRequest> = {}): Promise<Gathered> =>
  inMachine({ command: ['sh', '-c', script], ...request });

function temporaryFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'lab-results-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** An image of busybox out of the machine's own, and a container of it with both runtimes on both drivers. */
const CONTAINERS = `
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/busybox
for name in sh cat; do ln -s busybox /tmp/image/bin/$name; done
tar -C /tmp/image -cf /tmp/image.tar .
for driver in $DRIVERS; do
  tsengine -s $driver import /tmp/image.tar tiny:1 >/dev/null || exit 99
  for runtime in runc crun; do
    code=0
    tsengine -s $driver --runtime $runtime run --rm --network none tiny:1 sh -c 'echo "$0"; echo "$0" >&2; exit 5' "in $runtime on $driver" || code=$?
    echo "ended with $code"
  done
done
`;

const expected = (drivers: readonly string[]): string =>
  drivers
    .flatMap((driver) => ['runc', 'crun'].map((runtime) => `in ${runtime} on ${driver}\nended with 5\n`))
    .join('');

const DRIVERS = FULL ? ['overlay2', 'vfs'] : ['overlay2'];

test(`containers run on cgroup v2, with runc and crun, on ${DRIVERS.join(' and ')}`, async () => {
  const script = `stat -fc %T /sys/fs/cgroup >/results/cgroup; ${CONTAINERS}`;
  using results = temporaryFolder();
  const env = { DRIVERS: DRIVERS.join(' ') };
  const ended = await run(script, { env, results: results.path });
  assert.equal(ended.stdout, expected(DRIVERS), ended.stderr);
  assert.equal(ended.exitCode, 0);
  assert.equal(readFileSync(join(results.path, 'cgroup'), 'utf8'), 'cgroup2fs\n');
});

test('with systemd, containers are in its cgroups, and AppArmor is on', async () => {
  const script = `cat /proc/1/comm /sys/module/apparmor/parameters/enabled; tsengine info | grep -i 'cgroup driver'; ${CONTAINERS}`;
  const ended = await run(script, { with: ['systemd'], env: { DRIVERS: 'overlay2' } });
  const before = 'systemd\nY\n Cgroup Driver: systemd\n';
  assert.equal(ended.stdout, before + expected(['overlay2']), ended.stderr);
});

test('the command line: streams, input, environment, exit code, disks, results', () => {
  using results = temporaryFolder();
  const folder = join(results.path, 'new/a b');
  // What an earlier run brought.
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'file'), 'of an earlier run\n');
  writeFileSync(join(folder, 'other'), 'stays\n');
  const script = [
    'cat; echo "$WORD" >&2; uname -r; pwd',
    'mkfs.ext4 -q /dev/lab/disk2 && mount /dev/lab/disk2 /mnt && findmnt -no FSTYPE /mnt',
    'modprobe btrfs 2>/dev/null || echo no btrfs',
    'modprobe dm-thin-pool 2>/dev/null || echo no thin pools',
    'mkdir "/results/a b"; echo kept >"/results/a b/file"; ln -s file "/results/a b/link"',
    'exit 42',
  ].join('\n');
  const ended = spawnSync(
    launcher,
    [
      ...[
        'lab',
        'run',
        '--kernel',
        'debian:6.1',
        '--quiet',
        '-i',
        '-e',
        'WORD=to stderr',
        '--timeout',
        '600',
      ],
      ...[
        '--disk',
        '64M',
        '--disk',
        '128M',
        '--withhold',
        'btrfs,dm-thin-pool',
        '--results',
        join(results.path, 'new'),
      ],
      ...['--', 'sh', '-c', script],
    ],
    { input: 'from input\n', encoding: 'utf8' },
  );
  assert.equal(ended.stderr, 'to stderr\n');
  const [input, release = '', ...rest] = ended.stdout.trim().split('\n');
  assert.equal(input, 'from input');
  assert.match(release, /^6\.1\..*-cloud-amd64$/);
  assert.deepEqual(rest, ['/root', 'ext4', 'no btrfs', 'no thin pools']);
  assert.equal(ended.status, 42);
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'kept\n');
  assert.equal(readFileSync(join(folder, 'other'), 'utf8'), 'stays\n');
  assert.equal(readlinkSync(join(folder, 'link')), 'file');
  assert.deepEqual(readdirSync(join(results.path, 'new')), ['a b']);
});

test('a panic is reported as one, and the results come back', async () => {
  using results = temporaryFolder();
  // What was written more than a second before is on the disk, whoever synced it or not.
  const script = 'echo before >/results/file; sleep 3; echo c >/proc/sysrq-trigger; sleep 1000';
  await assert.rejects(run(script, { results: results.path }), (error) => {
    assert.ok(error instanceof MachineError);
    assert.equal(error.kind, 'panic');
    assert.equal(error.message, 'the kernel panicked under the command: sysrq triggered crash');
    assert.ok(error.console.length > 5);
    return true;
  });
  assert.equal(readFileSync(join(results.path, 'file'), 'utf8'), 'before\n');
});

test('its console goes to a file whole, and words to the command line of its kernel', () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'console');
  // By way of its disk: a panic takes output with it that is not here yet.
  const script =
    'cd /results; cat /proc/cmdline >words; dmesg >log; sync; echo "<3>said by the command" >/dev/kmsg; echo c >/proc/sysrq-trigger; sleep 100';
  // After its panic it prints all its tasks, and stays.
  const words = ['--append', 'loglevel=8 panic_print=1', '--append', 'panic=0'];
  const flags = [...words, '--console', file, '--results', folder.path];
  const ended = spawnSync(launcher, ['lab', 'run', ...flags, '--', 'sh', '-c', script], { encoding: 'utf8' });
  assert.equal(ended.status, 125);
  const result = (name: string): string => readFileSync(join(folder.path, name), 'utf8');
  assert.match(result('words'), / quiet .* loglevel=8 panic_print=1 panic=0\n$/);
  const said = result('log').trimEnd().split('\n');
  const console = readFileSync(file, 'latin1').replaceAll('\r', '');
  // The very first line may stand behind the firmware's last one, and what goes on in a second line has its time there.
  const lost = said.filter((line) => line.startsWith('[') && !console.includes(`${line}\n`));
  assert.ok(said.length > 200, said.join('\n'));
  assert.deepEqual(lost, []);
  assert.match(console, /said by the command\n/);
  assert.match(console, /Call Trace:\n(?:.*\n)*.*task:python3/);
  // Of a panic people see the beginning, and what follows.
  const shown = ended.stderr.split('\n').filter((line) => line.startsWith('console: '));
  assert.match(shown[0] ?? '', /sysrq: Trigger a crash|Kernel panic - not syncing/);
  assert.ok(
    shown.some((line) => line.includes('Call Trace:')),
    ended.stderr,
  );
  assert.match(ended.stderr, /\ntsengine: the kernel panicked under the command: sysrq triggered crash\n$/);
});

test('a console goes to plain files only', () => {
  using folder = temporaryFolder();
  for (const [path, why] of [
    [join(folder.path, 'no/such'), /^tsengine: cannot write the console to .*: no such file or directory\n$/],
    ['/dev/null', /^tsengine: cannot write the console to \/dev\/null: it is no plain file\n$/],
  ] as const) {
    const ended = spawnSync(launcher, ['lab', 'run', '--console', path, '--', 'true'], { encoding: 'utf8' });
    assert.equal(ended.status, 125);
    assert.match(ended.stderr, why);
  }
});

test('a command that takes too long is ended with its machine, and the results come back', async () => {
  using results = temporaryFolder();
  const script = 'echo "it has begun" >/results/file; sleep 1000000';
  await assert.rejects(run(script, { results: results.path, timeoutMs: 15_000 }), {
    kind: 'timeout',
    exitCode: 124,
    message: /^the command sh was still running after 15 s, and the machine was ended/,
  });
  assert.equal(readFileSync(join(results.path, 'file'), 'utf8'), 'it has begun\n');
});

test('a machine that does not answer any more is said to hang', async () => {
  // At this priority nothing else runs on the only processor, the agent included.
  const script =
    "echo -1 >/proc/sys/kernel/sched_rt_runtime_us; exec python3 -c 'import os\nos.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))\nwhile True: pass'";
  await assert.rejects(run(script, { cpus: 1, timeoutMs: 5000 }), {
    kind: 'hang',
    exitCode: 125,
    message: /^the machine hangs: it did not answer when the time of 5 s was over/,
  });
});

test('a machine without enough memory says so', async () => {
  const program = 'x = [bytearray(1 << 20) for _ in range(2000)]';
  const ended = await run('', { command: ['python3', '-c', program], memory: 256 * 2 ** 20 });
  assert.equal(ended.exitCode, 137);
  assert.equal(
    ended.shortage,
    "the machine's 256 MiB of memory were used up, and its kernel killed python3: give it more with --memory",
  );
});

test('a machine whose disk is full says so of a command that failed, and where', async () => {
  const fill =
    'mkfs.ext4 -q /dev/lab/disk1 && mount /dev/lab/disk1 /mnt && dd if=/dev/zero of=/mnt/all bs=1M';
  const request = { disks: [32 * 2 ** 20], command: ['sh', '-c', `${fill}; exit 7`] };
  const ended = await run('', request);
  assert.equal(ended.exitCode, 7);
  assert.equal(ended.shortage, "the machine's disk at /mnt was full");
});

test('the exit code is told whatever the command did to /proc and to mounts', async () => {
  const odd = 'd=$(printf "/mnt/\\377"); mkdir "$d" && mount -t tmpfs none "$d" || exit 9; exit 3';
  assert.partialDeepStrictEqual(await run(odd), { exitCode: 3, shortage: undefined });
  assert.equal((await run('umount -l /proc; exit 4')).exitCode, 4);
});

test('what was made is kept and listed', () => {
  // No machine: what the tests above left behind.
  const listed = spawnSync(launcher, ['lab', 'ls', '--format', '{{.Kind}}'], { encoding: 'utf8' });
  const kinds = new Set(listed.stdout.trim().split('\n'));
  const made = ['initramfs', 'kernel', 'packages', 'root'];
  assert.deepEqual(
    made.filter((kind) => !kinds.has(kind)),
    [],
  );
  const kernels = spawnSync(launcher, ['lab', 'kernels', '--format', 'json'], { encoding: 'utf8' });
  assert.match(kernels.stdout, /"Name":"debian:6\.1",.*"State":"ready"/);
});
