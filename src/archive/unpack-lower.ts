import { closeFd, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openAt, rmdirAt, unlinkAt } from '../linux/at.ts';
import { namesIn } from '../linux/directory-names.ts';
import { withDirectory } from '../linux/open-directory.ts';
import { lstatAt, lstatIfAny } from '../linux/stat.ts';
import { refusal } from './unpack-name.ts';
import { failedWith, isDirectory } from './unpack-tree.ts';

/** How many directories may lie one inside the other below a whiteout: PATH_MAX allows no more. */
const MAX_DEPTH = 2048;

/** A set of inode numbers: 16 bytes for each at most, where a `Set` of bigints takes over a hundred. */
class InodeSet {
  // Open addressing; 0 is no inode's number and marks a free place.
  #low = new Uint32Array(1024);
  #high = new Uint32Array(1024);
  #size = 0;

  add(ino: bigint): void {
    if (this.#size * 2 >= this.#low.length) this.#grow();
    const low = Number(ino & 0xffff_ffffn);
    const high = Number(ino >> 32n);
    const at = this.#find(low, high);
    if (this.#low[at] === 0 && this.#high[at] === 0) this.#size++;
    this.#low[at] = low;
    this.#high[at] = high;
  }

  has(ino: bigint): boolean {
    const at = this.#find(Number(ino & 0xffff_ffffn), Number(ino >> 32n));
    return this.#low[at] !== 0 || this.#high[at] !== 0;
  }

  /** The place of a number, or the free one where it would go. */
  #find(low: number, high: number): number {
    const mask = this.#low.length - 1;
    // Multiplicative hashing (Knuth): consecutive numbers spread over the whole table.
    let at = (Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1) >>> 7) & mask;
    for (;;) {
      const l = this.#low[at];
      const h = this.#high[at];
      if ((l === 0 && h === 0) || (l === low && h === high)) return at;
      at = (at + 1) & mask;
    }
  }

  #grow(): void {
    const low = this.#low;
    const high = this.#high;
    this.#low = new Uint32Array(low.length * 2);
    this.#high = new Uint32Array(low.length * 2);
    for (let i = 0; i < low.length; i++) {
      const l = low[i] ?? 0;
      const h = high[i] ?? 0;
      if (l === 0 && h === 0) continue;
      const at = this.#find(l, h);
      this.#low[at] = l;
      this.#high[at] = h;
    }
  }
}

/**
 * The lower layers' files in a directory that holds a copy of them, for drivers whose layers are whole trees. A
 * whiteout there removes files at once, but only those of lower layers: what the layer itself brings stays, whether it
 * comes before the whiteout or after it (OCI image spec, "Whiteouts"). Which files those are is told by their inode
 * numbers; nothing else makes files in the tree meanwhile. In a directory that starts empty there is nothing to tell.
 */
export class LowerFiles {
  readonly #own: InodeSet | undefined;

  /** `rootFd` is the open directory that the layer will be unpacked into. */
  constructor(rootFd: number) {
    const empty = withDirectory(rootFd, '.', namesIn).length === 0;
    this.#own = empty ? undefined : new InodeSet();
  }

  /** Whether there are any lower files, so that `own` has to be told of each new one. */
  get any(): boolean {
    return this.#own !== undefined;
  }

  /** Notes that a name is the layer's own. */
  own(dirfd: number, name: Buffer): void {
    this.#own?.add(lstatAt(dirfd, name).ino);
  }

  /** Removes what `name` is in lower layers; what the layer itself put there or below it stays. */
  remove(dirfd: number, name: Buffer, member: Buffer): void {
    if (this.#own !== undefined) this.#remove(this.#own, dirfd, name, member, 0);
  }

  /** The same for all that a directory holds. */
  empty(dirfd: number, member: Buffer): void {
    if (this.#own !== undefined) this.#empty(this.#own, dirfd, member, 0);
  }

  #remove(own: InodeSet, dirfd: number, name: Buffer, member: Buffer, depth: number): void {
    const stat = lstatIfAny(dirfd, name);
    if (stat === undefined) return;
    if (!isDirectory(stat)) {
      if (!own.has(stat.ino)) unlinkAt(dirfd, name);
      return;
    }
    if (depth > MAX_DEPTH) throw refusal(member, `what it hides is more than ${MAX_DEPTH} directories deep`);
    const fd = openAt(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      this.#empty(own, fd, member, depth);
    } finally {
      closeFd(fd);
    }
    if (!own.has(stat.ino)) removeIfEmpty(dirfd, name);
  }

  #empty(own: InodeSet, dirfd: number, member: Buffer, depth: number): void {
    for (const name of withDirectory(dirfd, '.', namesIn)) {
      this.#remove(own, dirfd, name, member, depth + 1);
    }
  }
}

function removeIfEmpty(dirfd: number, name: Buffer): void {
  try {
    rmdirAt(dirfd, name);
  } catch (error) {
    if (!failedWith(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}
