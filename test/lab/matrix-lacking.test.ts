/** A driver whose program is not installed here says nothing of the kernel. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { aufsFactory } from '../../src/drivers/aufs/index.ts';
import { hasKernelAufs } from '../../src/drivers/aufs/kernel.ts';
import { LackingHereError } from '../../src/errors.ts';
import { diffMatrices, hasRegression } from '../../src/lab/matrix/diff.ts';
import { parseEventLine } from '../../src/lab/matrix/events.ts';
import { isSettled } from '../../src/lab/matrix/run-matrix.ts';
import { findCommand } from '../../src/linux/command.ts';
import { cell, kernel, matrix } from '../helpers/matrix-samples.ts';

const script = fileURLToPath(new URL('./lacking-cell.ts', import.meta.url));

test('aufs says that it is a program that it lacks, and not that the kernel is to blame', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tsengine-lacking-'));
  try {
    const options = [['aufs.mount_program', '/nonexistent/fuse-overlayfs']] as const;
    const context = { home, runHome: home, options, warn: () => undefined };
    const support = await aufsFactory.probe(context);
    assert.deepEqual([support.supported, 'lacksProgram' in support && support.lacksProgram], [false, true]);
    await assert.rejects(aufsFactory.open(context), (error) => error instanceof LackingHereError);
  } finally {
    rmSync(home, { recursive: true });
  }
});

test('its cell was not tried, for want of something in the lab: it is tried again, and is no regression', {
  skip: hasKernelAufs() ? 'this kernel has AUFS' : false,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsengine-lacking-'));
  try {
    mkdirSync(`${folder}/mounted`);
    // In a mount namespace in which they are no programs.
    const hidden = ['fuse-overlayfs', 'mkfs.ext4'].flatMap((name) => findCommand(name) ?? []);
    const hide = hidden.map((path) => `mount --bind /dev/null "$(realpath ${path})" && `).join('');
    const words = ['--mount', 'sh', '-c', `${hide}exec "$0" --disable-warning=ExperimentalWarning "$@"`];
    const said = execFileSync('unshare', [...words, process.execPath, script, folder], { encoding: 'utf8' });
    const [line = '', mkfs] = said.split('\n');
    const event = parseEventLine(line);
    assert.ok(event?.event === 'cell');
    const lacking = event.cell;
    assert.deepEqual([lacking.status, lacking.unavailableOf], ['unavailable', 'lab']);
    assert.match(lacking.reasons[0] ?? '', /fuse-overlayfs is not installed: install/);
    assert.equal(mkfs, 'mkfs.ext4 is lacking: true');

    assert.equal(isSettled(event), false);
    const works = matrix(kernel({ cells: [cell({ driver: 'aufs' })] }));
    assert.equal(hasRegression(diffMatrices(works, matrix(kernel({ cells: [lacking] })))), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
