import { closeFd, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openUnmarked } from './at.ts';
import type { BytePath } from './path.ts';
import { AT_FDCWD } from './stat.ts';

/** Opens the directory `name` below `fd` (`AT_FDCWD` for an absolute path), runs, closes. Symbolic links are not followed. */
export function withDirectory<T>(fd: number, name: BytePath, run: (opened: number) => T): T {
  const opened = openUnmarked(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    return run(opened);
  } finally {
    closeFd(opened);
  }
}

/** Opens a tree's root by absolute path. */
export function withRoot<T>(root: BytePath, run: (opened: number) => T): T {
  return withDirectory(AT_FDCWD, root, run);
}
