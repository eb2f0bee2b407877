import { randomBytes } from 'node:crypto';
import { closeFd, mkdirAt, O_DIRECTORY, O_NOFOLLOW, O_PATH, openAt } from '../linux/at.ts';
import { removeTreeAt } from '../linux/remove-tree.ts';
import { type FileStat, lstatIfAny } from '../linux/stat.ts';
import { printableMember } from './fail.ts';
import type { TarEntry } from './types.ts';
import { cleanPath, type LayerPath, latin1, refusal } from './unpack-name.ts';
import { isDirectory, type LayerTree } from './unpack-tree.ts';
import { isWhiteoutDevice, nameKind, WHITEOUT_LINKS } from './whiteouts.ts';

/** What a hard link's name can be linked to. */
export interface LinkTarget {
  readonly dirfd: number;
  readonly name: Buffer;
  readonly stat: FileStat;
  /** Whether it is one of AUFS's, whose attributes count, and not those of the hard link. */
  readonly stashed: boolean;
}

/**
 * Finds the targets of hard links. A target is a file that is there already, in the layer (or, where whole trees are
 * kept, in the lower ones); symbolic links in its path stay inside and the last component is not followed.
 *
 * Layers that AUFS wrote may keep the file behind several hard links in `.wh..wh.plnk/`, which is not part of the
 * layer. Such files wait in a directory with a name that no archive can know, and it is removed at the end.
 */
export class HardLinks {
  readonly #tree: LayerTree;
  #stash: { readonly name: string; readonly fd: number } | undefined;

  constructor(tree: LayerTree) {
    this.#tree = tree;
  }

  /** The target of a hard link; throws when there is none that may be linked. */
  target(entry: TarEntry): LinkTarget {
    const shown = `the target of its hard link, "${printableMember(entry.linkName)}",`;
    const where = cleanPath(entry.name, entry.linkName, shown);
    const name = latin1(where.base);
    const stashed = isStashed(where);
    const dirfd = stashed ? this.#stash?.fd : this.#tree.find(entry.name, where.parent);
    const stat = dirfd === undefined || name.length === 0 ? undefined : lstatIfAny(dirfd, name);
    if (where.path === '' || (stat !== undefined && isDirectory(stat))) {
      throw refusal(entry.name, `${shown} is a directory`);
    }
    // On aufs a whiteout has the name that it has in a tar.
    const isMark = !stashed && nameKind(where.path).kind !== 'plain';
    if (dirfd === undefined || stat === undefined || isMark || isWhiteoutDevice(stat)) {
      throw refusal(entry.name, `${shown} does not exist`);
    }
    return { dirfd, name, stat, stashed };
  }

  /** The directory in which a file of `.wh..wh.plnk/` waits; `undefined` for all other members that AUFS made. */
  stashFor(where: LayerPath, entry: TarEntry): number | undefined {
    if (entry.type !== 'file' || !isStashed(where)) return undefined;
    if (this.#stash === undefined) {
      const name = `${WHITEOUT_LINKS}-${randomBytes(16).toString('hex')}`;
      mkdirAt(this.#tree.rootFd, name, 0o700);
      const fd = openAt(this.#tree.rootFd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
      this.#stash = { name, fd };
    }
    return this.#stash.fd;
  }

  /** Removes what waited. */
  close(): void {
    const stash = this.#stash;
    if (stash === undefined) return;
    this.#stash = undefined;
    closeFd(stash.fd);
    removeTreeAt(this.#tree.rootFd, stash.name);
  }
}

function isStashed(where: LayerPath): boolean {
  return where.parent === WHITEOUT_LINKS;
}
