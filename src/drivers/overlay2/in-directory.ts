import { closeFd, O_DIRECTORY, O_PATH, openAt } from '../../linux/at.ts';
import { CLONE_FS, chdir, fchdir, unshare } from '../../linux/namespaces.ts';
import { AT_FDCWD } from '../../linux/stat.ts';

let alone = false;

/**
 * Runs `run`, which must be synchronous, with `directory` as this thread's working directory. overlayfs is given
 * relative names that way: they keep the options within a page whatever the length of the data root's path, and a path
 * with commas or colons in it needs no escapes.
 *
 * The thread first gets a working directory of its own, once, so that file operations that Node's pool runs meanwhile
 * are not led astray. From then on `process.chdir` would not reach the pool's threads; nothing here uses it.
 */
export function inDirectory<T>(directory: string, run: () => T): T {
  if (!alone) {
    unshare(CLONE_FS);
    alone = true;
  }
  const before = openAt(AT_FDCWD, '.', O_PATH | O_DIRECTORY);
  try {
    chdir(directory);
    try {
      return run();
    } finally {
      fchdir(before);
    }
  } finally {
    closeFd(before);
  }
}
