/** Where this program's own files are. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds `bin/tsengine`: a checkout, or an installed package. The sources and the bundle lie equally deep in it. */
export const programRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Whether it is a checkout. */
export function isCheckout(): boolean {
  return existsSync(join(programRoot, 'src/cli/main.ts'));
}

/** The folder of npm packages that this program takes its own from: its own, or the one that it was installed into. */
export function packagesFolder(): string {
  const own = join(programRoot, 'node_modules');
  return existsSync(join(own, 'koffi')) ? own : dirname(programRoot);
}

/** Where the lab keeps what it made. `TSENGINE_LAB_CACHE` overrides. */
export function cacheFolder(): string {
  const chosen = process.env.TSENGINE_LAB_CACHE ?? '';
  // Absolute: apt takes a relative folder for one below its own.
  if (chosen !== '') return resolve(chosen);
  return isCheckout() ? join(programRoot, '.cache/lab') : '/var/cache/tsengine/lab';
}
