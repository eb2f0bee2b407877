/** A matrix of a kernel in a virtual machine, one that is broken for a driver on purpose. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { matrixText, readMatrix } from '../../src/lab/matrix/matrix-file.ts';

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
  const run = spawnSync(launcher, ['lab', 'matrix', ...words, '--out', out], { encoding: 'utf8' });
  assert.deepEqual([run.status, run.stderr], [0, ''], run.stdout);
  const broken = readMatrix(`${out}/matrix.json`);
  const [kernel] = broken.kernels;
  const [cell] = kernel?.cells ?? [];
  assert.match(kernel?.release ?? '', /^6\.1\./);
  assert.ok((kernel?.bootSeconds ?? 0) > 0);
  assert.equal(cell?.status, 'refused');
  assert.match(cell.reasons.join(), /^'overlay' not found as a supported filesystem on this host/);
  const answers = new Map(kernel?.features.map(({ name, answer }) => [name, answer]));
  assert.deepEqual(
    ['d_type', 'idmapped mounts', 'deferred removal', 'metacopy', '500 layers'].map((name) =>
      answers.get(name),
    ),
    ['yes', 'yes', 'yes', 'no', 'no'],
  );
  // As it is with the module.
  const whole = structuredClone(broken);
  for (const one of whole.kernels)
    for (const each of one.cells) Object.assign(each, { status: 'works', reasons: [] });
  writeFileSync(`${folder}/whole.json`, matrixText(whole));
  const diff = ['lab', 'matrix', '--diff', `${folder}/whole.json`, `${out}/matrix.json`];
  const { status, stdout } = spawnSync(launcher, diff, { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(
    stdout,
    /^REGRESSION {2}debian:6\.1, overlay2 on ext4: works -> refused \('overlay' not found/,
  );
});
