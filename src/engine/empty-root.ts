/**
 * What commands work on that find nothing and make nothing where there is no data root: an empty one, in or beside the place
 * where theirs would be, for as long as they take. So that `rmi x` on a mistyped `--data-root` leaves no folders there.
 */
import { existsSync, mkdtempSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { removeTree } from '../linux/remove-tree.ts';

/** A data root that goes when it is disposed of, or when the process ends. */
export interface EmptyRoot extends Disposable {
  readonly dataRoot: string;
  readonly execRoot: string;
}

/** An empty data root in place of `dataRoot`, on its file system; `undefined` when none can be made there. */
export function emptyRootFor(dataRoot: string): EmptyRoot | undefined {
  let above = resolve(dataRoot);
  while (!existsSync(above)) above = dirname(above);
  let folder: string;
  try {
    folder = mkdtempSync(`${above}/.tsengine-none-`);
  } catch {
    // Opening the real one fails likewise and says why.
    return undefined;
  }
  const remove = () => {
    process.off('exit', remove);
    if (existsSync(folder)) removeTree(folder);
  };
  process.once('exit', remove);
  return { dataRoot: `${folder}/data`, execRoot: `${folder}/exec`, [Symbol.dispose]: remove };
}
