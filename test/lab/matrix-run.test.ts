/** How a kernel's run goes on when something does not: what is blamed, what is kept, what is waited for. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { showMatrixProgress } from '../../src/cli/matrix-progress.ts';
import { destroyPools, poolsBelow } from '../../src/lab/matrix/backing-zfs.ts';
import { areComparable, diffMatrices, hasRegression } from '../../src/lab/matrix/diff.ts';
import type { MatrixEvent } from '../../src/lab/matrix/events.ts';
import { featureNames, NOTHING_WRITTEN } from '../../src/lab/matrix/features.ts';
import { Findings, isNothing } from '../../src/lab/matrix/findings.ts';
import { choiceOf, hasOwnZfs, kernelIdentity } from '../../src/lab/matrix/own-kernel.ts';
import { isSettled } from '../../src/lab/matrix/run-matrix.ts';
import { identityOf } from '../../src/lab/matrix/self.ts';
import { untilEnd } from '../../src/lab/matrix/until-end.ts';
import { hasZfsMachine, oneSort, withoutZfs } from '../../src/lab/matrix/zfs-apart.ts';
import { kernelFile } from '../helpers/kernel-file.ts';
import { cell, feature, kernel, matrix } from '../helpers/matrix-samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-matrix-run-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('a machine that dies', () => {
  const wanted = {
    cells: [
      { driver: 'overlay2', backing: 'ext4' },
      { driver: 'vfs', backing: 'ext4' },
    ],
    features: [null, 'ext4'],
  } as const;

  test('under a cell: that cell has failed, and the rest is still to do', () => {
    const findings = new Findings(wanted, []);
    findings.take({ event: 'begins', driver: 'overlay2', backing: 'ext4' });
    for (const event of findings.blame('the kernel panicked', 'Oops')) findings.take(event);
    assert.deepEqual(findings.left(), { cells: [wanted.cells[1]], features: [null, 'ext4'] });
    const [broken] = findings.result('x', null).cells;
    assert.deepEqual(
      [broken?.status, broken?.reasons, broken?.log],
      ['failed', ['the kernel panicked'], 'Oops'],
    );
    assert.deepEqual(findings.blame('again', ''), []);
  });

  test('under features: what was answered stays, the rest is unknown, and the cells are still to do', () => {
    const findings = new Findings(wanted, []);
    const names = featureNames('ext4');
    const [first = '', second = ''] = names;
    const events: MatrixEvent[] = [
      { event: 'tries', backing: 'ext4', name: null },
      { event: 'tries', backing: 'ext4', name: first },
      { event: 'tried', feature: feature({ name: first, backing: 'ext4', answer: 'no', reason: 'EINVAL' }) },
      { event: 'tries', backing: 'ext4', name: second },
    ];
    for (const event of events) findings.take(event);
    for (const event of findings.blame('the kernel panicked', '')) findings.take(event);
    assert.deepEqual(findings.left(), { cells: wanted.cells, features: [null] });
    const { features } = findings.result('x', null);
    assert.deepEqual(
      features.map(({ name }) => name),
      names,
    );
    assert.deepEqual(
      features.slice(0, 3).map(({ answer, reason, died }) => [answer, reason, died]),
      [
        ['no', 'EINVAL', undefined],
        ['unknown', `the kernel panicked; the last that it told of was: ${second}`, true],
        ['unknown', `the kernel panicked; the last that it told of was: ${second}`, true],
      ],
    );
  });

  test('when nothing runs is nobody’s fault, and neither is what an earlier run had begun', () => {
    const findings = new Findings(wanted, [{ event: 'begins', driver: 'vfs', backing: 'ext4' }]);
    assert.deepEqual(findings.blame('it panicked', ''), []);
    assert.equal(isNothing(findings.left()), false);
  });
});

describe('what another run takes over', () => {
  const isKept = (given: Parameters<typeof cell>[0]) => isSettled({ event: 'cell', cell: cell(given) });
  const isKnown = (...features: Parameters<typeof feature>[0][]) =>
    isSettled({ event: 'features', backing: 'ext4', features: features.map(feature) });

  test('is what would come out again, and nothing that hangs on what is installed', () => {
    assert.deepEqual(
      (['works', 'limited', 'refused', 'failed', 'unavailable'] as const).filter((status) =>
        isKept({ status }),
      ),
      ['works', 'limited', 'refused'],
    );
    assert.equal(isKnown({ answer: 'yes' }, { answer: 'no', reason: 'EINVAL' }), true);
    assert.equal(isKnown({}, { answer: 'unknown', reason: 'bindfs is not installed' }), false);
    assert.equal(isKnown({ answer: 'unknown', reason: NOTHING_WRITTEN }), true);
  });

  test('is nothing of a kernel whose modules or initial RAM disk are others', () => {
    const path = kernelFile(`${folder}/bzImage`, '6.9.1');
    const modules = `${folder}/mods/lib/modules`;
    mkdirSync(`${modules}/6.9.1/fs`, { recursive: true });
    writeFileSync(`${modules}/6.9.1/modules.dep`, 'fs/overlay.ko:\n');
    writeFileSync(`${modules}/6.9.1/fs/overlay.ko`, 'old');
    const initrd = `${folder}/initrd`;
    writeFileSync(initrd, '070701');
    const choice = choiceOf(path, { modules, initrd });
    const before = kernelIdentity(choice);
    assert.equal(kernelIdentity(choice), before);
    writeFileSync(`${modules}/6.9.1/fs/overlay.ko`, 'newer');
    const rebuilt = kernelIdentity(choice);
    assert.notEqual(rebuilt, before);
    writeFileSync(initrd, '0707010');
    assert.notEqual(kernelIdentity(choice), rebuilt);
    assert.throws(() => kernelIdentity({ path, modules: folder }), {
      message: /holds no modules of the kernel 6\.9\.1/,
    });
    assert.throws(() => choiceOf(`${folder}/none`, {}), { code: 'NotFound', message: /no kernel is at/ });
  });

  test('is nothing of other code', () => {
    const sources = `${folder}/sources`;
    mkdirSync(`${sources}/a`, { recursive: true });
    writeFileSync(`${sources}/a/x.ts`, '1');
    const before = identityOf([sources]);
    writeFileSync(`${sources}/notes.md`, '1');
    assert.equal(identityOf([sources]), before);
    writeFileSync(`${sources}/a/x.ts`, '2');
    assert.notEqual(identityOf([sources]), before);
  });
});

describe('zfs', () => {
  const left = {
    cells: [{ driver: 'vfs', backing: 'ext4' } as const, { driver: 'vfs', backing: 'zfs' } as const],
    features: [null, 'zfs' as const],
  };

  test('has a machine of its own where the lab can make one: for its own kernels, and a user’s that brings it', () => {
    const path = kernelFile(`${folder}/zfs-bzImage`, '6.9.2');
    const modules = `${folder}/zfs-mods/6.9.2`;
    mkdirSync(modules, { recursive: true });
    writeFileSync(`${modules}/modules.dep`, 'fs/overlay.ko:\n');
    const own = { path, modules };
    assert.equal(hasZfsMachine({ path }), false);
    assert.equal(hasZfsMachine(own), false);
    assert.deepEqual(oneSort(left, own), left);
    writeFileSync(`${modules}/modules.dep`, 'updates/spl.ko:\nupdates/zfs.ko: updates/spl.ko\n');
    assert.equal(hasOwnZfs(own), true);
    for (const choice of ['debian:6.1', own])
      assert.deepEqual(oneSort(left, choice), { cells: [left.cells[0]], features: [null] });
    const rest = { cells: [{ driver: 'vfs', backing: 'zfs' } as const], features: ['zfs' as const] };
    assert.deepEqual(oneSort(rest, 'debian:6.1'), rest);
  });

  test('that cannot be compiled makes its cells unavailable and its features unknown', () => {
    const [one, features, ...more] = withoutZfs(
      { cells: [{ driver: 'vfs', backing: 'zfs' }], features: ['zfs'] },
      'it does not compile',
    );
    assert.equal(more.length, 0);
    assert.ok(one?.event === 'cell' && one.cell.status === 'unavailable');
    assert.ok(
      features?.event === 'features' && features.features.every(({ answer }) => answer === 'unknown'),
    );
  });

  test('pools that are destroyed are ours, on images below the folder', () => {
    const listed = [
      'tank\t10G\t1G\t9G\t-\t-\t0%\t0%\t1.00x\tONLINE\t-',
      '\t/out/images/tsengine-lab-a/image-zfs\t10G',
      'tsengine-lab-0123abcd\t3.75G\t1M\t3.75G\t-\t-\t0%\t0%\t1.00x\tONLINE\t-',
      '\t/out/images/tsengine-lab-a/image-zfs\t3.75G\t1M',
      'tsengine-lab-4567abcd\t3.75G\t1M\t3.75G\t-\t-\t0%\t0%\t1.00x\tONLINE\t-',
      '\t/other/images/tsengine-lab-b/image-zfs\t3.75G\t1M',
      '',
    ].join('\n');
    assert.deepEqual(poolsBelow('/out/images', listed), ['tsengine-lab-0123abcd']);
    assert.deepEqual(poolsBelow('/out/image', listed), []);
  });
});

describe('a process', () => {
  /** One whose output is held open by another when it is gone, as by one that cannot die. */
  const start = (words: string) => spawn('sh', ['-c', words], { stdio: ['ignore', 'pipe', 'pipe'] });

  test('that does not end when it is killed is not waited for', async () => {
    const child = start('sleep 30 & echo $!; exec sleep 30');
    let pid = '';
    child.stdout.on('data', (chunk: Buffer) => {
      pid += chunk.toString();
    });
    const before = performance.now();
    try {
      const { trouble, isGone } = await untilEnd(child, { limitMs: 150, graceMs: 100, signal: undefined });
      assert.equal(isGone, false);
      assert.equal(
        trouble,
        'it was not done after 0.15 s, and did not end within 0.1 s of being killed: it may hang in the kernel',
      );
      assert.ok(performance.now() - before < 20_000);
    } finally {
      process.kill(Number(pid), 'SIGKILL');
    }
  });

  test('that ends is told by how it ended', async () => {
    const patience = { limitMs: 60_000, graceMs: 60_000, signal: undefined };
    const troubleOf = async (words: string, signal?: AbortSignal) => {
      const { trouble, isGone } = await untilEnd(start(words), { ...patience, signal });
      assert.equal(isGone, true);
      return trouble;
    };
    assert.equal(await troubleOf('exit 0'), undefined);
    assert.equal(await troubleOf('exit 3'), 'its process ended with exit code 3');
    assert.equal(await troubleOf('kill -9 $$'), 'its process ended with SIGKILL');
    assert.equal(await troubleOf('exec sleep 30', AbortSignal.abort()), 'it was interrupted');
  });
});

describe('a difference', () => {
  test('is no regression when the lab could not try the kernel', () => {
    const before = matrix(kernel({ cells: [cell()] }));
    const outage = matrix(kernel({ error: 'cannot reach the mirror', errorOf: 'lab' }));
    const panic = matrix(kernel({ error: 'the kernel panicked', errorOf: 'kernel' }));
    assert.equal(hasRegression(diffMatrices(before, outage)), false);
    assert.match(diffMatrices(before, outage)[0]?.text ?? '', /did not run to the end: cannot reach/);
    assert.equal(hasRegression(diffMatrices(before, panic)), true);
  });

  test('takes a kernel that both have, or one each', () => {
    const [a, b] = [kernel({ name: 'a' }), kernel({ name: 'b' })];
    assert.equal(areComparable(matrix(a), matrix(b)), true);
    assert.equal(areComparable(matrix(a, b), matrix(b)), true);
    assert.equal(areComparable(matrix(a, b), matrix(kernel({ name: 'c' }))), false);
    assert.equal(areComparable(matrix(), matrix(a)), false);
  });
});

test('where no terminal is, each cell that is done is a plain line; where nobody listens, nothing is', () => {
  const show = (quiet: boolean): string => {
    let written = '';
    const stream = {
      isTTY: false,
      columns: 80,
      write: (text: string | Uint8Array) => {
        written += String(text);
        return true;
      },
    };
    using progress = showMatrixProgress(quiet, stream);
    progress.listener.begins(3, 1);
    progress.listener.note('debian:6.1', 'making it');
    progress.listener.event('debian:6.1', { event: 'begins', driver: 'vfs', backing: 'xfs' });
    progress.listener.event('debian:6.1', { event: 'cell', cell: cell({ seconds: 4 }) });
    progress.clear();
    return written;
  };
  assert.equal(
    show(false),
    '1 of 3 are known from an earlier run\ndebian:6.1  making it\n[2/3] debian:6.1  overlay2 on ext4: works, 57 of 57 checks, 4 s\n',
  );
  assert.equal(show(true), '');
});

test('a pool that is not destroyed is told, costs no result, and the others go', () => {
  const programs = `${folder}/programs`;
  mkdirSync(programs);
  /** What is told when the program in the place of zpool does this. */
  const told = (script: string): readonly string[] => {
    writeFileSync(`${programs}/zpool`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const lines: string[] = [];
    destroyPools('/w', (line) => lines.push(line), '/dev/null');
    return lines;
  };
  const path = process.env.PATH;
  process.env.PATH = `${programs}:${path}`;
  try {
    assert.deepEqual(told('echo the module is of another version >&2; exit 1'), [
      'pools of ZFS that earlier cells left, if any, stay: they cannot be listed: zpool: the module is of another version',
    ]);
    const [busy, idle] = ['tsengine-lab-00000001', 'tsengine-lab-00000002'];
    const list = [busy, idle].map((pool) => `${pool}\\t1\\n\\t/w/${pool}/image-zfs\\t1\\n`).join('');
    const script = `case "$1 $3" in
      list*) printf '${list}' ;;
      *${busy}) echo "cannot destroy '$3': pool is busy" >&2; exit 1 ;;
      *) echo "$3" >>${programs}/destroyed ;;
    esac`;
    assert.deepEqual(told(script), [
      `the pool of ZFS ${busy} stays, see zpool destroy -f ${busy}: zpool: cannot destroy '${busy}': pool is busy`,
    ]);
    assert.equal(readFileSync(`${programs}/destroyed`, 'utf8'), `${idle}\n`);
  } finally {
    process.env.PATH = path;
  }
});
