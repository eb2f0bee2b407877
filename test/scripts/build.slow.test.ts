import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import type { CommandTable } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { CHECKS } from '../../src/drivers/conformance/index.ts';

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

test('the bundle is the first file, the program in one file and with its rare commands in another, and a file for every worker', () => {
  using bundle = built();
  const workers = globSync('*/*-worker.ts', { cwd: join(root, 'src') }).map((path) =>
    path.replace(/\.ts$/, '.js'),
  );
  const present = globSync('**/*.js', { cwd: bundle.outdir }).sort();
  assert.deepEqual(present, ['cli/main.js', 'cli/program.js', 'cli/rare.js', ...workers].sort());
});

test('the program holds nothing of what only rare commands need', () => {
  using bundle = built();
  const holds = (file: string, text: string) =>
    readFileSync(join(bundle.outdir, 'cli', file), 'utf8').includes(text);
  // A check's name, a machine's kernel parameter, a workload's name.
  for (const text of [CHECKS[0]?.name ?? '', 'qemu-system', 'copy-up.byte']) {
    assert.deepEqual([holds('program.js', text), holds('rare.js', text)], [false, true], text);
  }
});

/** Every command of the table, as its words. */
function commandLines(table: CommandTable, before: readonly string[] = []): string[][] {
  return Object.entries(table).flatMap(([name, entry]) => {
    const words = [...before, name];
    return 'load' in entry ? [words] : commandLines(entry.commands, words);
  });
}

test('every command is in the bundle', async () => {
  using bundle = built();
  const main = join(bundle.outdir, 'cli/main.js');
  const lines = commandLines(commands);
  assert.ok(lines.length > 25, lines.join());
  for (const words of lines) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words, '--help'], {
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, ''], words.join(' '));
    assert.ok(stdout.startsWith(`\nUsage:  tsengine ${words.join(' ')}`), stdout);
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

test('what is compiled of it is kept of calls that went well, and is taken', () => {
  using bundle = built();
  const cache = join(bundle.folder, 'compiled');
  const call = (...words: string[]) =>
    spawnSync(process.execPath, [join(bundle.outdir, 'cli/main.js'), ...words], {
      encoding: 'utf8',
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
    });
  const kept = () => globSync('*/*-*', { cwd: cache }).map((path) => path.replace(/^.*-/, ''));
  assert.equal(call('frobnicate').status, 1);
  assert.equal(call('ps', '--frobnicate').status, 125);
  assert.deepEqual(kept(), []);
  const first = call('ps', '--help').stdout;
  assert.deepEqual(kept(), ['ps']);
  const [file = ''] = globSync('*/*-ps', { cwd: cache });
  const { mtimeMs } = statSync(join(cache, file));
  assert.equal(call('ps', '--help').stdout, first);
  assert.equal(statSync(join(cache, file)).mtimeMs, mtimeMs);
});

test('a build leaves nothing beside its result, and replaces what was there', () => {
  using bundle = built();
  execFileSync(process.execPath, [join(root, 'scripts/build.ts'), '--outdir', bundle.outdir], {
    stdio: 'pipe',
  });
  assert.deepEqual(readdirSync(bundle.folder), ['dist']);
});
