/** Empty file systems for engines, each on a sparse file of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { atExit, type FilesystemType, makeFilesystem, unmountBelow } from '../../test/helpers/loop.ts';

/** What an engine's layers are measured on. */
export type Home = FilesystemType | 'zfs';

/** A mounted file system. Disposing of it takes it away. */
export interface Disk extends Disposable {
  readonly path: string;
}

/** Sparse, so that only what is written is taken. Bytes. */
const SIZE = 24 * 1024 ** 3;

/** A new, empty file system in the folder for temporary files; ext4 leaves its inode tables alone in the background. */
export function freshDisk(home: Home = 'ext4'): Disk {
  if (home === 'zfs') return makePool();
  return makeFilesystem(home, { size: SIZE, ...(home === 'ext4' ? { mount: 'noinit_itable' } : {}) });
}

/** What a driver's layers are measured on. */
export function homeOf(driver: string): Home {
  return driver === 'btrfs' || driver === 'zfs' ? driver : 'ext4';
}

/** A pool of OpenZFS with its default properties. */
function makePool(): Disk {
  const folder = mkdtempSync(`${tmpdir()}/tsengine-zfs-`);
  const [image, path, name] = [`${folder}/image`, `${folder}/mounted`, basename(folder)];
  writeFileSync(image, '');
  truncateSync(image, SIZE);
  try {
    execFileSync('zpool', ['create', '-o', 'cachefile=none', '-m', path, name, image], { stdio: 'pipe' });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const close = atExit(() => {
    unmountBelow(path);
    try {
      execFileSync('zpool', ['destroy', '-f', name], { stdio: 'pipe' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  return { path, [Symbol.dispose]: close };
}
