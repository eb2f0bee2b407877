/** A matrix of a kernel in a virtual machine, one that is broken for a driver on purpose; in a full run also one that dies, one that hangs, and NFS beside somebody's own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runInMachine } from '../../src/lab/lab.ts';
import { Findings } from '../../src/lab/matrix/findings.ts';
import { runInMachines } from '../../src/lab/matrix/machine-runs.ts';
import { readMatrix } from '../../src/lab/matrix/matrix-file.ts';
import { packCode } from '../../src/lab/matrix/packed-code.ts';
import { hasFailures } from '../../src/lab/matrix/summary.ts';
import { matrix } from '../helpers/matrix-samples.ts';
import { FULL } from '../helpers/scope.ts';
import { succeedsInMachine } from './in-machine.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tsengine-matrix-machine-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a kernel without overlay is told as one that overlay2 refuses: a regression against one with it', () => {
  const out = `${folder}/out`;
  const words = [
    '--kernels',
    'debian:6.1',
    '--withhold',
    'overlay',
    '--drivers',
    'overlay2',
    '--backing',
    'ext4',
  ];
  const run = spawnSync(launcher, ['lab', 'matrix', ...words, '--quiet', '--out', out], { encoding: 'utf8' });
  assert.deepEqual([run.status, run.stderr], [0, ''], run.stdout);
  const broken = readMatrix(`${out}/matrix.json`);
  const [kernel] = broken.kernels;
  const [cell] = kernel?.cells ?? [];
  assert.match(kernel?.release ?? '', /^6\.1\./);
  assert.ok((kernel?.bootSeconds ?? 0) > 0);
  assert.equal(cell?.status, 'refused');
  assert.match(cell.reasons.join(), /^'overlay' not found as a supported filesystem on this host/);
  const answers = new Map(kernel?.features.map(({ name, answer }) => [name, answer]));
  // Of overlayfs nothing, of the others what 6.1 and ext4 have.
  assert.deepEqual(Object.fromEntries(answers), {
    ...Object.fromEntries(OF_OVERLAY.map((name) => [name, 'no'])),
    ...{ d_type: 'yes', reflink: 'no', 'project quota': 'yes', 'idmapped mounts': 'yes' },
    'deferred removal': 'yes',
  });
  // With the module: the matrix that is committed.
  const whole = join(import.meta.dirname, '../../docs/matrix/matrix.json');
  const diff = ['lab', 'matrix', '--diff', whole, `${out}/matrix.json`];
  const { status, stdout } = spawnSync(launcher, diff, { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stdout, /^REGRESSION {2}debian:6\.1, metacopy on ext4: yes -> no/m);
  assert.match(
    stdout,
    /^REGRESSION {2}debian:6\.1, overlay2 on ext4: works -> refused \('overlay' not found/m,
  );
});

const OF_OVERLAY = [
  ...['native diff', 'redirect_dir', 'metacopy', 'index', 'xino', 'volatile', 'userxattr', 'lowerdir+'],
  ...['500 layers', 'copy_file_range across layers'],
];

const IN_FULL = { timeout: 3_600_000, skip: FULL ? false : 'npm run test:full' };

/** A disk of our code in which trying the kernel's own features brings it down. */
async function deadlyCode(): Promise<string> {
  const { disk } = await packCode(`${folder}/code`, { progress: () => undefined, signal: undefined });
  const tree = `${folder}/tree`;
  execFileSync('unsquashfs', ['-q', '-n', '-d', tree, disk]);
  const file = `${tree}/src/lab/matrix/features-kernel.ts`;
  const begins = 'export async function kernelFeatures(): Promise<Feature[]> {';
  const text = readFileSync(file, 'utf8');
  assert.ok(text.includes(begins));
  const dies = "process.getBuiltinModule('node:fs').writeFileSync('/proc/sysrq-trigger', 'c');";
  writeFileSync(file, text.replace(begins, `${begins} ${dies}`));
  const deadly = `${folder}/deadly.squashfs`;
  execFileSync('mksquashfs', [tree, deadly, '-quiet', '-no-progress', '-noD', '-noI', '-noF', '-all-root']);
  return deadly;
}

test(
  'a kernel that dies of its features has failed: they are unknown, and the cells are run by the next machine',
  IN_FULL,
  async () => {
    const wanted = { cells: [{ driver: 'vfs', backing: 'squashfs' }], features: [null] } as const;
    const findings = new Findings(wanted, []);
    const failure = await runInMachines('debian:6.1', findings, {
      ...{
        slow: false,
        limitMs: 600_000,
        machines: 2,
        memory: undefined,
        signal: undefined,
        withheldModules: [],
      },
      code: await deadlyCode(),
      emit: (event) => findings.take(event),
      note: () => undefined,
    });
    assert.equal(failure, null);
    const result = findings.result('debian:6.1', failure);
    const { cells, features } = result;
    assert.ok((result.bootSeconds ?? 0) > 0);
    assert.ok(hasFailures(matrix(result)));
    assert.deepEqual(
      cells.map(({ status }) => status),
      ['refused'],
    );
    assert.deepEqual([features[0]?.answer, features[0]?.died], ['unknown', true]);
    assert.match(features[0]?.reason ?? '', /^the kernel panicked under the command: /);
  },
);

test('a machine of which nothing is heard hangs, long before its time is over', IN_FULL, async () => {
  let heard = '';
  const request = {
    kernel: 'debian:6.1',
    command: ['sh', '-c', 'for i in 1 2 3 4; do echo $i; sleep 3; done; sleep 1000000'],
    timeoutMs: 2_000_000,
    silenceMs: 8000,
    onOutput: (_: unknown, data: Buffer) => {
      heard += data.toString();
    },
  };
  await assert.rejects(runInMachine(request), {
    kind: 'hang',
    message: /^the machine hangs: nothing was heard of it for 8 s/,
  });
  assert.equal(heard, '1\n2\n3\n4\n', 'not while it was heard of');
});

test("NFS servers of cells touch nobody's, and leave nothing when they are killed", IN_FULL, async () => {
  const { said } = await succeedsInMachine({
    command: ['sh', '/opt/tsengine/test/lab/nfs-beside.sh'],
    timeoutMs: 2_000_000,
  });
  assert.equal(said.match(/^ok /gm)?.length, 6, said);
});
