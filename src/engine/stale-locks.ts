import { listDirectory } from '../linux/files.ts';
import type { DataRoot } from './root.ts';

/** Locks whose names come and go: of containers, and of layers that are being read. */
const COMES_AND_GOES = /^(?:container|chain)-[0-9a-f]{64}$/;

/**
 * Removes the lock files that killed processes left. One that somebody holds stays. Costs a directory listing when there
 * is none.
 */
export function removeStaleLocks(root: DataRoot): void {
  for (const name of listDirectory(`${root.stateDir}/locks`)) {
    if (COMES_AND_GOES.test(name)) root.tryLock(name, { ephemeral: true })?.release();
  }
}
