import { hasErrno } from '../../errors.ts';
import { readInto, writeAll } from '../../linux/files.ts';
import { copyFileRange, ficlone, ftruncate, seekData, seekHole } from '../../linux/space.ts';
import type { FileStat } from '../../linux/stat.ts';

/** How contents can be copied between two filesystems, found out with the first file that it is tried on. */
export class ContentCopier {
  #canClone = true;
  #canCopyRange = true;
  #buffer: Buffer | undefined;

  /**
   * Gives the empty open file `to` the contents of `from`: sharing its blocks where the filesystem can (btrfs, xfs,
   * bcachefs), copied by the kernel where it can, and read and written otherwise. Holes stay holes.
   */
  copy(from: number, to: number, { size, blocks }: Pick<FileStat, 'size' | 'blocks'>): void {
    if (size === 0 || this.#cloned(from, to)) return;
    // As many blocks as bytes: no holes to look for.
    if (blocks * 512 >= size) {
      this.#copyRange(from, to, 0, size);
      return;
    }
    ftruncate(to, size);
    for (let at = 0; at < size; ) {
      const start = seekData(from, at);
      if (start === undefined) return;
      const end = seekHole(from, start) ?? size;
      this.#copyRange(from, to, start, end);
      at = end;
    }
  }

  #cloned(from: number, to: number): boolean {
    if (!this.#canClone) return false;
    try {
      ficlone(from, to);
      return true;
    } catch (error) {
      if (!hasErrno(error, 'EOPNOTSUPP', 'EINVAL', 'EXDEV', 'ENOTTY', 'ENOSYS')) throw error;
      // EINVAL and EXDEV may be this file's fault (another mount, swap file); then copying decides for itself again.
      if (hasErrno(error, 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS')) this.#canClone = false;
      return false;
    }
  }

  #copyRange(from: number, to: number, start: number, end: number): void {
    let at = start;
    while (this.#canCopyRange && at < end) {
      try {
        const copied = copyFileRange(from, at, to, at, end - at);
        // Nothing more although there should be: the file was cut short meanwhile, or the filesystem does not tell.
        if (copied === 0) break;
        at += copied;
      } catch (error) {
        if (!hasErrno(error, 'EXDEV', 'EINVAL', 'EOPNOTSUPP', 'ENOSYS', 'EPERM')) throw error;
        this.#canCopyRange = false;
      }
    }
    this.#readAndWrite(from, to, at, end);
  }

  #readAndWrite(from: number, to: number, start: number, end: number): void {
    this.#buffer ??= Buffer.alloc(256 * 1024);
    for (let at = start; at < end; ) {
      const length = readInto(from, this.#buffer, 0, Math.min(this.#buffer.length, end - at), at);
      if (length === 0) return;
      writeAll(to, this.#buffer.subarray(0, length), at);
      at += length;
    }
  }
}
