/** The code that all machines of a run get: packed once, so that who edits the sources meanwhile does not change the matrix. */
import { join } from 'node:path';
import { TsengineError } from '../../errors.ts';
import { makeDirectories, pathExists } from '../../linux/files.ts';
import { makeCodeDisk } from '../code-disk.ts';
import type { LabContext } from '../context.ts';
import { isCheckout, programRoot } from '../place.ts';
import { codeIdentity, identityOf } from './self.ts';

/** A disk for machines, and a name for what is on it: another one when a single byte of the code is another. */
export interface PackedCode {
  readonly disk: string;
  readonly identity: string;
}

/** Packs it into `folder`, which is made. Fails with `Conflict` when somebody edits it at that moment. */
export async function packCode(folder: string, context: LabContext): Promise<PackedCode> {
  const sources = isCheckout() ? [join(programRoot, 'src')] : [];
  const before = identityOf(sources);
  makeDirectories(folder);
  const disk = await makeCodeDisk(folder, context);
  if (identityOf(sources) !== before) {
    throw new TsengineError(
      'Conflict',
      `the sources in ${programRoot} were changed while they were packed: run the command again`,
    );
  }
  // A bundle that was stale has been made anew, beside the disk.
  const bundle = [join(folder, 'dist'), join(programRoot, 'dist')].find(pathExists);
  return { disk, identity: identityOf([...sources, ...(bundle === undefined ? [] : [bundle])]) };
}

/** Fails with `Conflict` when the code that runs here is no longer what it was: a result would be of neither. */
export function mustBeSameCode(identity: string): void {
  if (codeIdentity() === identity) return;
  throw new TsengineError(
    'Conflict',
    `the code in ${programRoot} was changed while the matrix ran: what is done is kept under the code that it was done with; run the command again`,
  );
}
