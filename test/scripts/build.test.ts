import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

/** A bundle in a temporary folder, and how long it took in milliseconds. */
function built() {
  const folder = mkdtempSync(join(tmpdir(), 'tsengine-build-'));
  const outdir = join(folder, 'dist');
  const dispose = () => rmSync(folder, { recursive: true });
  try {
    execFileSync(process.execPath, [join(root, 'scripts/build.ts'), '--outdir', outdir], { stdio: 'pipe' });
  } catch (error) {
    dispose();
    throw error;
  }
  return { folder, outdir, [Symbol.dispose]: dispose };
}

test('the bundle has an entry for the command line, for every worker and a chunk for every command', () => {
  using bundle = built();
  const entries = globSync('*/*-worker.ts', { cwd: join(root, 'src') }).map((path) =>
    path.replace(/\.ts$/, '.js'),
  );
  const present = globSync('{cli,archive,engine,drivers}/*.js', { cwd: bundle.outdir }).sort();
  assert.deepEqual(present, ['cli/main.js', ...entries].sort());
  const chunks = readdirSync(join(bundle.outdir, 'chunks')).map((name) => name.replace(/-[^-]+$/, ''));
  for (const source of globSync('*.ts', { cwd: join(root, 'src/cli/commands') })) {
    if (source !== 'index.ts') assert.ok(chunks.includes(source.replace(/\.ts$/, '')), source);
  }
});

test('the bundle runs from where it is, knows its version, and everybody may read it', () => {
  using bundle = built();
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { stdout, stderr } = spawnSync(process.execPath, [join(bundle.outdir, 'cli/main.js'), '--version'], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  assert.ok(stdout.startsWith(`tsengine version ${version}, build `), stdout);
  assert.match(stdout, / build ([0-9a-f]{7,}(-dirty)?|unknown)\n$/);
  assert.equal(statSync(bundle.outdir).mode & 0o777, 0o755);
});

test('a build leaves nothing beside its result, and replaces what was there', () => {
  using bundle = built();
  execFileSync(process.execPath, [join(root, 'scripts/build.ts'), '--outdir', bundle.outdir], {
    stdio: 'pipe',
  });
  assert.deepEqual(readdirSync(bundle.folder), ['dist']);
});
