import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { workerUrl } from '../../src/linux/worker-url.ts';

const root = resolve(import.meta.dirname, '../..');

test('a worker’s source is found from the sources', () => {
  const path = fileURLToPath(workerUrl('archive/unpack-worker'));
  assert.equal(path, resolve(root, 'src/archive/unpack-worker.ts'));
  assert.ok(existsSync(path));
});

test('every worker of the sources has its entry point in the bundle, where it is looked for', (t) => {
  if (!existsSync(resolve(root, 'dist/cli/main.js'))) return t.skip('dist/ is not built');
  for (const source of globSync('*/*-worker.ts', { cwd: resolve(root, 'src') })) {
    assert.ok(existsSync(resolve(root, 'dist', source.replace(/\.ts$/, '.js'))), source);
  }
});
