/** The tsengine that is measured: the bundle through bin/tsengine, as people have it. */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { programRoot } from '../../src/lab/place.ts';

/** A copy of it. Disposing of it removes it. */
export interface Installed extends Disposable {
  readonly launcher: string;
}

/**
 * Copies launcher and bundle, as an installation has them, with a compile cache of its own: what is measured stays the
 * same while somebody edits or builds in the checkout.
 */
export function install(): Installed {
  const folder = mkdtempSync(`${tmpdir()}/tsengine-measured-`);
  for (const name of ['bin', 'dist', 'package.json'])
    cpSync(`${programRoot}/${name}`, `${folder}/${name}`, { recursive: true, preserveTimestamps: true });
  symlinkSync(`${programRoot}/node_modules`, `${folder}/node_modules`);
  return {
    launcher: `${folder}/bin/tsengine`,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
