/** A ZFS pool on a file, the root of which is mounted. */
import { existsSync, truncateSync, writeFileSync } from 'node:fs';
import { randomBytes } from '../../linux/random.ts';
import { runTool } from './tool.ts';

const PACKAGE = 'zfsutils-linux';
/** Bytes: sparse, so that only what is written is taken. */
const SIZE = 4 * 1024 ** 3;

/**
 * Makes it in `work`, mounts it at `path` and gives what destroys it, once nothing of it is mounted. Pools belong to no
 * namespace: a process that is killed leaves one, which no boot imports.
 */
export function mountZfs(path: string, work: string): () => void {
  if (!existsSync('/dev/zfs')) runTool('modprobe', ['-q', 'zfs'], 'kmod', 'this kernel has no ZFS');
  const image = `${work}/image-zfs`;
  writeFileSync(image, '');
  truncateSync(image, SIZE);
  const pool = `tsengine-lab-${randomBytes(4).toString('hex')}`;
  runTool('zpool', ['create', '-o', 'cachefile=none', '-m', 'legacy', pool, image], PACKAGE);
  const destroy = (): void => {
    runTool('zpool', ['destroy', '-f', pool], PACKAGE);
  };
  try {
    runTool('mount', ['-t', 'zfs', pool, path], 'mount');
  } catch (error) {
    destroy();
    throw error;
  }
  return destroy;
}
