/**
 * Where the objects of a layer are. Asked for a path, the kernel searches every directory above an object for its number, so that
 * each of a thousand files in a large folder costs a walk through all of that. Here a directory that holds one is read once, for
 * all that are in it: in which one an object is the send stream says.
 *
 * The kernel answers for a snapshot, and directories are read as they are now. So what changed since is not read, nor what is not
 * found: those the kernel is asked for.
 */
import {
  closeFd,
  O_DIRECTORY,
  O_NOATIME,
  O_RDONLY,
  openAt2,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../linux/at.ts';
import { namesOfInodes } from '../../linux/directory-names.ts';
import { SyscallError } from '../../linux/errno.ts';
import { fstat } from '../../linux/stat.ts';
import type { ZfsObjectPaths } from '../../linux/zfs-objects.ts';
import type { SendStream } from './send-stream.ts';

const RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;

/** A layer whose objects are looked for. */
export interface SearchedLayer {
  /** An open descriptor of its root. */
  readonly root: number;
  readonly snapshot: string;
  /** The second since 1970 from which on a change may be later than the snapshot. */
  readonly asOf: number;
}

/** The paths of objects that a stream has, of one layer. */
export class ObjectPaths {
  readonly #layer: SearchedLayer;
  readonly #kernel: ZfsObjectPaths;
  readonly #stream: SendStream;
  /** What is looked for: changed objects, and the directories that these are in. */
  readonly #wanted = new Set<number>();
  /** Paths without a slash at the end, each byte a character. */
  readonly #found = new Map<number, string>();
  /** Folders that were read, or are being looked for. */
  readonly #begun = new Set<string | number>();

  constructor(layer: SearchedLayer, kernel: ZfsObjectPaths, stream: SendStream) {
    this.#layer = layer;
    this.#kernel = kernel;
    this.#stream = stream;
    for (const object of stream.changed()) {
      this.#wanted.add(object);
      const parent = stream.parentOf(object);
      if (parent !== undefined) this.#wanted.add(parent);
    }
  }

  /** A path as `inSnapshot` gives it, most often without asking the kernel. */
  pathOf(object: number): Buffer | 'deleted' | undefined {
    const path = this.#find(object);
    if (path === undefined) return this.inSnapshot(object);
    return Buffer.from(path === '' ? '/' : path, 'latin1');
  }

  /** What the kernel says: see `ZfsObjectPaths.pathOf`. */
  inSnapshot(object: number): Buffer | 'deleted' | undefined {
    return this.#kernel.pathOf(this.#layer.snapshot, BigInt(object));
  }

  #find(object: number): string | undefined {
    const known = this.#found.get(object);
    if (known !== undefined) return known;
    const parent = this.#stream.parentOf(object);
    // What is being looked for is below itself, and then this is no parent.
    if (parent === undefined || this.#begun.has(object)) return undefined;
    this.#begun.add(object);
    const folder = this.#folder(parent);
    if (folder !== undefined) this.#read(folder);
    return this.#found.get(object);
  }

  /** Where a directory is. One that is in no stream has siblings that are not either, and more of them may be asked for. */
  #folder(object: number): string | undefined {
    const found = this.#find(object);
    if (found !== undefined) return found;
    const path = this.inSnapshot(object);
    if (path === undefined || path === 'deleted') return undefined;
    const text = path.length <= 1 ? '' : path.toString('latin1');
    this.#found.set(object, text);
    if (text !== '') this.#read(text.slice(0, text.lastIndexOf('/')));
    return text;
  }

  #read(folder: string): void {
    if (this.#begun.has(folder)) return;
    this.#begun.add(folder);
    const { root, asOf } = this.#layer;
    try {
      const path = Buffer.from(`.${folder}`, 'latin1');
      const fd = openAt2(root, path, O_RDONLY | O_DIRECTORY | O_NOATIME, RESOLVE);
      try {
        if (fstat(fd).ctime.sec >= asOf) return;
        for (const [inode, name] of namesOfInodes(fd, this.#wanted))
          this.#found.set(inode, `${folder}/${name}`);
      } finally {
        closeFd(fd);
      }
    } catch (error) {
      // It is not there any more, or the kernel has no openat2: nothing is found in it.
      if (!(error instanceof SyscallError)) throw error;
    }
  }
}
