/** A ZFS pool on a file, the root of which is mounted. */
import { existsSync, truncateSync, writeFileSync } from 'node:fs';
import { errorMessage } from '../../errors.ts';
import { findCommand } from '../../linux/command.ts';
import { randomBytes } from '../../linux/random.ts';
import { runTool } from './tool.ts';

const PACKAGE = 'zfsutils-linux';
/** Bytes: sparse, so that only what is written is taken. */
const SIZE = 4 * 1024 ** 3;
const IMAGE = 'image-zfs';
const DEVICE = '/dev/zfs';

/**
 * Makes it in `work`, mounts it at `path` and gives what destroys it, once nothing of it is mounted. Pools belong to no
 * namespace: a process that is killed leaves one, which no boot imports and `destroyPools` finds.
 */
export function mountZfs(path: string, work: string): () => void {
  if (!existsSync(DEVICE)) runTool('modprobe', ['-q', 'zfs'], 'kmod', 'this kernel has no ZFS');
  const image = `${work}/${IMAGE}`;
  writeFileSync(image, '');
  truncateSync(image, SIZE);
  const pool = `${PREFIX}${randomBytes(4).toString('hex')}`;
  runTool('zpool', ['create', '-o', 'cachefile=none', '-m', 'legacy', pool, image], PACKAGE);
  const destroy = (): void => destroyPool(pool);
  try {
    runTool('mount', ['-t', 'zfs', pool, path], 'mount');
  } catch (error) {
    destroy();
    throw error;
  }
  return destroy;
}

/** How our pools are called: this, and eight digits. */
const PREFIX = 'tsengine-lab-';

/**
 * Destroys the pools that processes which were killed left on images below a folder. Where there is no ZFS this is one look.
 * Never throws: nothing depends on it, so what fails is told in one line through `warn`, and the next call tries again.
 * `device` is ZFS's, another one for tests.
 */
export function destroyPools(folder: string, warn: (line: string) => void, device = DEVICE): void {
  if (!existsSync(device) || findCommand('zpool') === undefined) return;
  const trying = (what: string, run: () => void): void => {
    try {
      run();
    } catch (error) {
      warn(`${what}: ${errorMessage(error)}`);
    }
  };
  let pools: readonly string[] = [];
  trying('pools of ZFS that earlier cells left, if any, stay: they cannot be listed', () => {
    pools = poolsBelow(folder, runTool('zpool', ['list', '-H', '-v', '-P'], PACKAGE));
  });
  for (const pool of pools)
    trying(`the pool of ZFS ${pool} stays, see zpool destroy -f ${pool}`, () => destroyPool(pool));
}

/** Those of our pools in the output of `zpool list -H -v -P` that are on an image below the folder. Those of other runs are theirs. */
export function poolsBelow(folder: string, listed: string): string[] {
  const pools: string[] = [];
  let pool = '';
  for (const line of listed.split('\n')) {
    // What a pool consists of stands under it, indented.
    const [first = '', second = ''] = line.split('\t');
    if (first !== '') pool = first;
    else if (second.startsWith(`${folder}/`) && second.endsWith(`/${IMAGE}`) && pool.startsWith(PREFIX))
      pools.push(pool);
  }
  return pools;
}

function destroyPool(pool: string): void {
  runTool('zpool', ['destroy', '-f', pool], PACKAGE);
}
