/**
 * A bundle of the sources as they are now, of the test's own. It starts five times as fast as the sources do, and does not
 * change under a long test while somebody edits them.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { NODE_FLAGS } from '../../src/node-flags.ts';
import { atExit } from './loop.ts';

const root = resolve(import.meta.dirname, '../..');

/**
 * The first file of the bundle. What conmon calls at a container's end gets no environment of ours: faults for that come from a
 * file `exit-fault` beside the data root.
 */
const FRONT = `
const data = process.argv.includes('internal-exited') && process.argv.find((word) => word.startsWith('--data-root='));
if (data) {
  const { existsSync, readFileSync } = require('node:fs');
  const beside = data.slice('--data-root='.length).replace(/[^/]*$/, '');
  if (existsSync(beside + 'exit-log')) process.env.TSENGINE_FAULT_LOG = beside + 'exit-log';
  if (existsSync(beside + 'exit-fault')) process.env.TSENGINE_FAULT = readFileSync(beside + 'exit-fault', 'utf8');
}
require('./real.js');
`;

/** How the bundle is started. */
export interface TestBundle {
  /** Node, its flags, and the bundle's first file. */
  readonly command: readonly string[];
  /** What its processes need in their environment to start fast. */
  readonly env: Readonly<Record<string, string>>;
}

let made: TestBundle | undefined;

/** Whether a bundle is there that is no older than any source: scripts/test.sh has one made before the tests. */
function isCurrent(bundle: string): boolean {
  const built = statSync(bundle, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = [
    'package.json',
    'scripts/build.ts',
    ...globSync('{src,bench/suite}/**/*.ts', { cwd: root }),
  ];
  return sources.every((path) => statSync(join(root, path)).mtimeMs <= built);
}

/** Makes the bundle once for this process, and removes it when the process ends. */
export function testBundle(): TestBundle {
  if (made !== undefined) return made;
  // Below the checkout, because the bundle looks for koffi as the sources do.
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache/test-bundle-'));
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  const dist = join(folder, 'dist');
  if (isCurrent(join(root, 'dist/cli/main.js'))) cpSync(join(root, 'dist'), dist, { recursive: true });
  else execFileSync(process.execPath, [join(root, 'scripts/build.ts'), '--outdir', dist], { stdio: 'pipe' });
  renameSync(join(dist, 'cli/main.js'), join(dist, 'cli/real.js'));
  writeFileSync(join(dist, 'cli/main.js'), FRONT);
  made = {
    command: [process.execPath, ...NODE_FLAGS, join(dist, 'cli/main.js')],
    env: { NODE_COMPILE_CACHE: join(folder, 'compiled') },
  };
  return made;
}
