/** Starting what measures or tries in namespaces of its own, so that nothing of it is seen outside and nothing of it stays. */
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { DRIVER_NAMES } from '../../drivers/registry.ts';
import { pathExists } from '../../linux/files.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { suspendedPoolOf } from '../../linux/suspended-pool.ts';
import { OWN_NAMESPACES } from '../../linux/unshare.ts';

/** Where nothing is shared (without systemd), stores are let go of at once: nobody can take one down while another namespace has it mounted. */
const LET_GO = 'while [ "$1" != -- ]; do umount -i -l "$1" 2>/dev/null; shift; done; shift';

/**
 * The words that start a shell with mount and pid namespaces of its own, in which `script` has the command as `"$@"`; unshare(1)
 * ends with us, however we do. The stores of data roots are not mounted there, but for those in which `needed` is.
 */
export function inOwnNamespaces(
  script: string,
  words: readonly string[],
  needed: readonly string[] = [],
): string[] {
  const stores = storeMounts([process.cwd(), tmpdir(), ...needed]);
  const shell = ['sh', '-c', `${LET_GO}\n${script}`, 'sh', ...stores, '--'];
  return ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...OWN_NAMESPACES, ...shell, ...words];
}

/** What the storage drivers of data roots have mounted, the innermost first. */
function storeMounts(needed: readonly string[]): string[] {
  const kept = needed.filter((path) => pathExists(path)).map((path) => `${realpathSync(path)}/`);
  const points = readMountInfo().map(({ mountPoint }) => mountPoint.toString());
  return points
    .filter((point) => isInStore(point) && !kept.some((path) => path.startsWith(`${point}/`)))
    .reverse();
}

/** Whether a path is a driver's folder of a data root, or below it. */
function isInStore(path: string): boolean {
  const words = path.split('/');
  return words.some((word, at) => {
    if (!DRIVER_NAMES.some((name) => name === word)) return false;
    return isDataRoot(words.slice(0, at).join('/'));
  });
}

function isDataRoot(path: string): boolean {
  try {
    // What is on a suspended pool is not touched.
    return suspendedPoolOf(path) === undefined && pathExists(`${path}/tsengine/version.json`);
  } catch {
    return false;
  }
}
