/** An installation without the library that draws charts: the bundle alone, with what it needs to run and nothing else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { writeResult } from '../../../bench/suite/result-file.ts';
import { literature, madeResult, subject } from '../../helpers/bench-results.ts';
import { testBundle } from '../../helpers/bundle.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-no-charts-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a report without charts is written all the same, and one line says what is lacking', () => {
  const { command, env } = testBundle();
  const [node = '', ...rest] = command;
  const main = rest.at(-1) ?? '';
  const dist = join(folder, 'dist');
  cpSync(dirname(dirname(main)), dist, { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['koffi', '@koromix'])
    symlinkSync(join(import.meta.dirname, '../../../node_modules', name), join(folder, 'node_modules', name));
  const subjects = ['raw@ext4', 'overlay2@ext4', 'vfs@ext4'].map((id) => subject(id));
  const result = writeResult(
    madeResult({ subjects, workloads: ['small'], truth: literature }),
    join(folder, 'run'),
  );
  const args = [...rest.slice(0, -1), join(dist, 'cli/main.js'), 'bench', 'report', result];
  const { status, stdout, stderr } = spawnSync(node, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  assert.equal(status, 0, stderr);
  assert.match(
    stderr,
    /^tsengine: no charts as PNG, the rest of the report is whole: chartjs-node-canvas cannot be loaded \([^\n]*\); install it with [^\n]*\n$/,
  );
  assert.ok(stdout.endsWith(`written: ${folder}/run/report.md, ${folder}/run/report.html\n`));
  assert.ok(!readFileSync(join(folder, 'run/report.md'), 'utf8').includes('.png'));
  assert.ok(existsSync(join(folder, 'run/report.html')));
});
