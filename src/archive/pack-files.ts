import { TsengineError } from '../errors.ts';
import { closeFd, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, openUnmarked, readlinkAt } from '../linux/at.ts';
import { SyscallError } from '../linux/errno.ts';
import { type FileStat, fstat, S_IFMT, S_IFREG } from '../linux/stat.ts';
import { printableMember } from './fail.ts';
import { entryFor, entryType, type FileXattrs, xattrsOfOpen, xattrsOfPath } from './pack-entry.ts';
import { ArchiveBuffer, dataRuns } from './pack-stream.ts';
import type { EntryType, TarEntry } from './types.ts';
import { procPath } from './unpack-attributes.ts';
import { isGone, type WalkEntry } from './walk.ts';
import { WHITEOUT_PREFIX } from './whiteouts.ts';

/** How trees are packed. */
export interface PackOptions {
  /**
   * From how many bytes of holes a file is written as a sparse one (GNU's pax format 1.0); 1 GiB when not given. It is
   * not less, because Docker writes none, takes such layers, and then can neither save nor push them (its tar-split
   * stores no maps). Unpacking makes holes of zeros again.
   */
  readonly sparseFrom?: number;
  /** Receives a line on each file that cannot be part of a layer and is left out. */
  readonly warn?: (message: string) => void;
}

const SPARSE_FROM = 1024 * 1024 * 1024;

type Xattrs = ReadonlyMap<string, Buffer>;

/** What is known or wanted of a file's extended attributes. */
export interface FileAttributes {
  /** They were read before. */
  readonly known?: Xattrs | undefined;
  /** Sees those of a regular file that were not, and may throw. */
  readonly check?: (xattrs: FileXattrs) => void;
}

/** Writes files of a tree into an archive: hard links by what was written before, sparse files, extended attributes. */
export class FilePacker {
  readonly out = new ArchiveBuffer();
  readonly #sparseFrom: number;
  readonly #warn: (message: string) => void;
  /** The first name of each file that has several. */
  readonly #links = new Map<string, Buffer>();

  constructor(options: PackOptions) {
    this.#sparseFrom = options.sparseFrom ?? SPARSE_FROM;
    this.#warn = options.warn ?? (() => {});
  }

  /** Whether a file can be part of a layer; says so when it cannot. */
  accepts(file: WalkEntry): boolean {
    const prefix = file.name.toString('latin1', 0, WHITEOUT_PREFIX.length);
    if (prefix !== WHITEOUT_PREFIX && entryType(file.stat.mode) !== undefined) return true;
    const reason =
      prefix === WHITEOUT_PREFIX ? 'its name means a whiteout there' : 'sockets have no place there';
    this.#warn(`"${printableMember(file.path)}" is not part of the layer: ${reason}`);
    return false;
  }

  /** Writes one file, with attributes that were read before, if they were. One that went away meanwhile is left out. */
  *file(file: WalkEntry, attributes: FileAttributes = {}): Generator<Buffer> {
    try {
      yield* this.#file(file, attributes);
    } catch (error) {
      if (isGone(error)) return;
      throw packError(file.path, error);
    }
  }

  *#file(file: WalkEntry, attributes: FileAttributes): Generator<Buffer> {
    const type = entryType(file.stat.mode);
    if (type === undefined) return;
    const first = type === 'directory' ? undefined : this.#firstName(file);
    if (first !== undefined) {
      yield* this.out.header(entryFor(file.path, 'hardlink', file.stat, new Map(), first));
    } else if (type === 'file') {
      yield* this.#regular(file, attributes);
    } else {
      yield* this.out.header(this.#special(file, type, attributes.known));
    }
    if (type !== 'directory' && file.stat.nlink > 1) this.#remember(file);
  }

  #special(file: WalkEntry, type: EntryType, known: Xattrs | undefined): TarEntry {
    const xattrs = known ?? xattrsOfPath(procPath(file.dirfd, file.name)).layer;
    const text = type === 'symlink' ? readlinkAt(file.dirfd, file.name) : undefined;
    return entryFor(file.path, type, file.stat, xattrs, text);
  }

  *#regular(file: WalkEntry, attributes: FileAttributes): Generator<Buffer> {
    const fd = openUnmarked(file.dirfd, file.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      // A container may have put a device there since: only what is a plain file is read.
      const stat = fstat(fd);
      if ((stat.mode & S_IFMT) !== S_IFREG) return;
      const entry = this.#described(file.path, fd, stat, attributes);
      yield* this.out.header(entry);
      yield* this.out.content(fd, entry);
    } finally {
      closeFd(fd);
    }
  }

  #described(path: Buffer, fd: number, stat: FileStat, { known, check }: FileAttributes): TarEntry {
    const entry = entryFor(path, 'file', stat, known ?? this.#checked(xattrsOfOpen(fd), check));
    const runs = dataRuns(fd, stat, this.#sparseFrom);
    return runs === undefined ? entry : { ...entry, sparse: runs };
  }

  #checked(xattrs: FileXattrs, check: FileAttributes['check']): Xattrs {
    check?.(xattrs);
    return xattrs.layer;
  }

  #firstName(file: WalkEntry): Buffer | undefined {
    return file.stat.nlink > 1 ? this.#links.get(identity(file.stat)) : undefined;
  }

  #remember(file: WalkEntry): void {
    const key = identity(file.stat);
    if (!this.#links.has(key)) this.#links.set(key, file.path);
  }
}

function identity(stat: FileStat): string {
  return `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
}

/** The error for a file that cannot be packed; the call's own error is its cause. */
export function packError(path: Buffer, error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error;
  const reason = error.message.slice(error.message.lastIndexOf(': ') + 2);
  const message = `cannot pack "${printableMember(path)}": ${reason} (${error.syscall})`;
  return new TsengineError('System', message, { cause: error });
}
