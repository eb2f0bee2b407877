/** Cells in several machines at once, and in machines that die: our side of it, with a program in QEMU's place. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cellsOf } from '../../src/lab/matrix/cells.ts';
import { brokenCell, type MatrixEvent, withTrouble } from '../../src/lab/matrix/events.ts';
import { Findings, type Wanted } from '../../src/lab/matrix/findings.ts';
import { type KernelOptions, type KernelWork, runKernel } from '../../src/lab/matrix/kernel-run.ts';
import { readMatrix } from '../../src/lab/matrix/matrix-file.ts';
import { Slots } from '../../src/lab/matrix/slots.ts';
import { hasFailures } from '../../src/lab/matrix/summary.ts';
import { descriptors } from '../../src/lab/qemu.ts';
import { matrix } from '../helpers/matrix-samples.ts';
import { fakeQemu } from './fake-machine.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tsengine-lanes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The agent's side of the port, and `request`, the cells that it was asked for; `body` tells what becomes of them. */
function machine(body: string): string {
  return `import json, os, socket, struct, sys, time
port = socket.socket(fileno=4)
port.setblocking(True)
def exactly(count):
    data = b''
    while len(data) < count:
        piece = port.recv(count - len(data))
        if not piece: sys.exit(0)
        data += piece
    return data
def take():
    kind, length = struct.unpack('>cI', exactly(5))
    return exactly(length)
def send(kind, data=''):
    port.sendall(kind + struct.pack('>I', len(data.encode())) + data.encode())
def tell(**event):
    send(b'O', '@tsengine-matrix ' + json.dumps(event) + '\\n')
send(b'H', '6.1.0-none')
words = take().decode().split('\\0')
request = json.loads(words[words.index('--cells') + 1])
send(b'S')
tell(event='kernel', release='6.1.0-none', build='#1', machine='x86_64')
${body}
send(b'X', '0')
take()
while True: take()
`;
}

const ANSWERS = `
for backing in request['features']:
    tell(event='tries', backing=backing, name=None)
    tell(event='features', backing=backing, features=[dict(name='x', backing=backing, answer='yes', reason='')])
for cell in request['cells']:
    tell(event='begins', **cell)
    tests = dict(passed=1, failed=0, excused=0)
    tell(event='cell', cell=dict(**cell, status='works', reasons=[], tests=tests, seconds=1, log=''))
`;

/** Runs a kernel in such machines. Gives its result, and all that was told. */
async function run(body: string, work: Wanted & Partial<KernelWork>, jobs: number) {
  using qemu = fakeQemu(machine(body));
  const before = process.env.TSENGINE_LAB_ACCELERATOR;
  Object.assign(process.env, { TSENGINE_LAB_QEMU: qemu.path, TSENGINE_LAB_ACCELERATOR: 'tcg' });
  const events: MatrixEvent[] = [];
  const options: KernelOptions = {
    ...{
      slow: false,
      limitMs: 100_000,
      machines: jobs,
      memory: undefined,
      signal: undefined,
      // No machine reads it.
      code: qemu.path,
    },
    ...{ withheldModules: [], folder, parallel: jobs, jobs: new Slots(jobs), room: new Slots(jobs) },
    emit: (event) => events.push(event),
    note: () => undefined,
    warn: () => undefined,
  };
  const defaults = { name: 'debian:6.1', choice: 'debian:6.1', known: [], failure: null, ownMachines: jobs };
  try {
    return { result: await runKernel({ ...defaults, ...work }, options), events };
  } finally {
    delete process.env.TSENGINE_LAB_QEMU;
    if (before === undefined) delete process.env.TSENGINE_LAB_ACCELERATOR;
    else process.env.TSENGINE_LAB_ACCELERATOR = before;
  }
}

const wanted = {
  cells: cellsOf(['overlay2', 'vfs'], ['ext4', 'xfs', 'tmpfs']),
  features: [null, 'ext4', 'xfs', 'tmpfs'],
} as const;

test('with jobs left over a kernel has several machines at once, and all comes out once; a resumed run does the rest', async () => {
  // Each leaves a file and waits for the other's.
  const meet = `
open('${folder}/here-' + os.urandom(8).hex(), 'w').close()
for look in range(1200):
    if len([name for name in os.listdir('${folder}') if name.startswith('here-')]) >= 2: break
    time.sleep(.05)
else: sys.exit(1)
${ANSWERS}`;
  const { result, events } = await run(meet, wanted, 2);
  assert.equal(result.error, null);
  assert.equal(readdirSync(folder).filter((name) => name.startsWith('here-')).length, 2);
  const keys = (cells: readonly { driver: string; backing: string }[]) =>
    cells.map(({ driver, backing }) => `${driver} ${backing}`);
  assert.deepEqual(keys(result.cells), keys(wanted.cells));
  assert.equal(events.filter(({ event }) => event === 'cell').length, wanted.cells.length);
  assert.equal(result.features.length, wanted.features.length);
  assert.ok((result.bootSeconds ?? 0) > 0);

  const known = events.filter((event) => event.event !== 'cell' || event.cell.backing !== 'tmpfs');
  assert.equal(new Findings(wanted, known).left().cells.length, 2);
  const resumed = await run(ANSWERS, { ...wanted, known }, 2);
  assert.deepEqual(
    resumed.events.flatMap((event) => (event.event === 'cell' ? [event.cell.backing] : [])),
    ['tmpfs', 'tmpfs'],
  );
  assert.deepEqual({ ...resumed.result, bootSeconds: 0 }, { ...result, bootSeconds: 0 });
});

test('a machine that dies has booted, and a kernel that dies of its features has failed', async () => {
  const dies = `
tell(event='tries', backing=None, name='deferred removal')
time.sleep(.2)
sys.exit(0)`;
  const { result } = await run(dies, { cells: [], features: [null] }, 1);
  assert.deepEqual([result.error, result.release], [null, '6.1.0-none']);
  assert.ok((result.bootSeconds ?? 0) > 0, 'it is not known how long it took to boot');
  const [feature, ...more] = result.features;
  assert.deepEqual([feature?.answer, feature?.died, more.length], ['unknown', true, 0]);
  assert.match(feature?.reason ?? '', /^the machine ended under the command/);
  assert.ok(hasFailures(matrix(result)));
});

test('of two machines that run side by side the one that dies is blamed for its own cells only', async () => {
  const dies = `
if 'tmpfs' in [cell['backing'] for cell in request['cells']] and not os.path.exists('${folder}/died'):
    tell(event='begins', driver='overlay2', backing='tmpfs')
    open('${folder}/died', 'w').close()
    time.sleep(.2)
    sys.exit(0)
for look in range(1200):
    if os.path.exists('${folder}/died'): break
    if look == 0 and request['cells']: tell(event='begins', **request['cells'][0])
    time.sleep(.05)
time.sleep(.5)
${ANSWERS}`;
  const { result } = await run(dies, wanted, 2);
  assert.equal(result.error, null);
  assert.deepEqual(
    result.cells.map(({ driver, backing, status }) => `${driver} ${backing} ${status}`),
    wanted.cells.map(
      ({ driver, backing }) =>
        `${driver} ${backing} ${driver === 'overlay2' && backing === 'tmpfs' ? 'failed' : 'works'}`,
    ),
  );
});

test('a machine that dies between two cells is started again, and what its kernel said is in the log of its cell', async () => {
  const cells = cellsOf(['overlay2', 'vfs'], ['ext4', 'xfs']);
  const dies = `
def say(text): os.write(${descriptors.console}, text.encode())
again = os.path.exists('${folder}/between')
open('${folder}/between', 'w').close()
tests = dict(passed=1, failed=0, excused=0)
for index, cell in enumerate(request['cells']):
    tell(event='begins', **cell)
    say('[ 1.0] WARNING: CPU: 0 PID: 1 at ' + cell['driver'] + '.c:1\\n[ 1.1] as usual\\n')
    time.sleep(.3)
    tell(event='cell', cell=dict(**cell, status='works', reasons=[], tests=tests, seconds=1, log='ok a'))
    if index == 0 and not again:
        time.sleep(.3)
        sys.exit(0)
`;
  const { result } = await run(dies, { cells, features: [] }, 1);
  assert.equal(result.error, null);
  assert.deepEqual(
    result.cells.map(({ status, log }) => [status, log]),
    cells.map(({ driver }) => [
      'works',
      `ok a\n# its kernel: [ 1.0] WARNING: CPU: 0 PID: 1 at ${driver}.c:1`,
    ]),
  );
});

test('a process that the kernel killed for want of memory is told as that', () => {
  const dead = brokenCell('vfs', 'ext4', 'its process ended with SIGKILL', 'ok a', 1);
  const lines = ['[ 9.1] Out of memory: Killed process 77 (node) total-vm:1kB'];
  assert.deepEqual(withTrouble(dead, lines).reasons, [
    "the machine's memory was used up, and its kernel killed node: give it more with --memory",
    'its process ended with SIGKILL',
  ]);
  assert.deepEqual(withTrouble(dead, []), dead);
  // One that lives has lost a process of its own, which its checks tell.
  const { died: _, ...alive } = dead;
  assert.deepEqual(withTrouble(alive, lines).reasons, alive.reasons);
});

test('a kernel that does not even boot is found out: the matrix is written, and is a regression', () => {
  const command = (program: string, out: string) => {
    using qemu = fakeQemu(program);
    const words = ['--kernels', 'debian:6.1', '--drivers', 'vfs', '--backing', 'tmpfs', '--out', out];
    const env = { ...process.env, TSENGINE_LAB_QEMU: qemu.path, TSENGINE_LAB_ACCELERATOR: 'tcg' };
    return spawnSync(launcher, ['lab', 'matrix', ...words], { encoding: 'utf8', env });
  };
  const [before, after] = [`${folder}/boots`, `${folder}/panics`];
  const good = command(machine(ANSWERS), before);
  assert.equal(good.status, 0, good.stderr);
  const panic = `import os\nos.write(${descriptors.console}, b'[ 0.9] Kernel panic - not syncing: No init\\n')`;
  const bad = command(panic, after);
  assert.equal(bad.status, 1, bad.stderr);
  const [kernel] = readMatrix(`${after}/matrix.json`).kernels;
  assert.deepEqual([kernel?.cells, kernel?.errorOf], [[], 'kernel']);
  assert.match(kernel?.error ?? '', /the kernel panicked before it started the command: No init/);
  const files = [before, after].map((out) => `${out}/matrix.json`);
  const diff = spawnSync(launcher, ['lab', 'matrix', '--diff', ...files], { encoding: 'utf8' });
  assert.match(diff.stdout, /^REGRESSION {2}debian:6\.1: it did not run to the end: .*No init/m);
  assert.equal(diff.status, 1);
});
