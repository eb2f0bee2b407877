/**
 * Runs in a machine of the lab, from standard input, in a mount namespace and a pid namespace of its own: overlay2 and vfs on the
 * filesystems that this machine's kernel may not have. Writes a line of JSON for each pair: what has come of it, as in the matrix.
 */
import { mkdirSync } from 'node:fs';
import { errorMessage } from '../../src/errors.ts';
import { makeBacking } from '../../src/lab/matrix/backings.ts';
import { type Outcome, runOnBacking } from '../../src/lab/matrix/cell-run.ts';
import { DRIVERS, FILESYSTEMS, ONLY } from './backings-tried.ts';

async function main(): Promise<void> {
  for (const backing of FILESYSTEMS) {
    const work = `/var/tmp/${backing}`;
    mkdirSync(work);
    using mounted = await makeBacking(backing, { work });
    for (const driver of DRIVERS) {
      const lines: string[] = [];
      const options = { work, slow: false, only: ONLY, log: (line: string) => lines.push(line) };
      const outcome: Outcome | { readonly status: string; readonly reasons: readonly string[] } =
        await runOnBacking({ driver, backing }, mounted, options).catch((error: unknown) => ({
          status: 'broken',
          reasons: [errorMessage(error)],
        }));
      console.log(JSON.stringify({ driver, backing, ...outcome, log: lines.join('\n') }));
    }
  }
}

void main();
