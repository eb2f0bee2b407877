/** How this program starts itself again, for what must be a process of its own. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_FLAGS } from '../../node-flags.ts';

/** The hidden command that runs cells on the kernel that it stands on. */
export const CELLS_COMMAND = 'internal-lab-cells';

/** The words before a command: the same Node and the same code. */
export function selfCommand(): string[] {
  return [process.execPath, ...NODE_FLAGS, mainPath()];
}

/** The file that starts it: `src/cli/main.ts` of the sources, `dist/cli/main.js` of the bundle. */
function mainPath(): string {
  // Of the sources this file is two folders below their root, and the bundle's file that holds it is one below its own.
  const main = isBundle() ? '../cli/main.js' : '../../cli/main.ts';
  return decodeURIComponent(new URL(main, import.meta.url).pathname);
}

/** The folder of the code that runs, with a slash at its end. */
export function codeFolder(): string {
  return mainPath().replace(/cli\/main\.(?:ts|js)$/, '');
}

/** Whether the bundle runs, and not the sources. */
export function isBundle(): boolean {
  return !import.meta.url.endsWith('.ts');
}

/** A name for the code that runs here: another one when a single byte of it is another. */
export function codeIdentity(): string {
  return identityOf([codeFolder()]);
}

/** A name for all the code in these folders. */
export function identityOf(folders: readonly string[]): string {
  const { createHash } = process.getBuiltinModule('node:crypto');
  const hash = createHash('sha256');
  for (const folder of folders) {
    const names = globSync('**/*.{ts,js,py}', { cwd: folder }).sort();
    for (const name of names) hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex').slice(0, 32);
}
