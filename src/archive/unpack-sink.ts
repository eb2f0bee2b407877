import {
  linkAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  openAt,
  symlinkAt,
} from '../linux/at.ts';
import { SyscallError } from '../linux/errno.ts';
import { inUserNamespace } from '../linux/namespaces.ts';
import { withDirectory } from '../linux/open-directory.ts';
import { lstatIfAny, S_IFBLK, S_IFCHR, S_IFIFO } from '../linux/stat.ts';
import { LIMITS, type TarEntry, type TarSink } from './types.ts';
import { Attributes } from './unpack-attributes.ts';
import { PendingDirectories } from './unpack-directories.ts';
import { FileBeingWritten } from './unpack-file.ts';
import { ImpliedDirectories } from './unpack-implied.ts';
import { HardLinks } from './unpack-links.ts';
import { LowerFiles } from './unpack-lower.ts';
import { aufsMarks, type LayerMarks, overlayMarks } from './unpack-marks.ts';
import { cleanPath, type LayerPath, latin1, refusal, unpackError } from './unpack-name.ts';
import { failedWith, isDirectory, LayerTree } from './unpack-tree.ts';
import { nameKind, type OverlayPrefix } from './whiteouts.ts';

/** How a layer is unpacked. */
export interface UnpackerOptions {
  /**
   * What whiteouts become. `overlay`: devices 0/0 and opaque attributes in the directory of one layer. `files`: the empty
   * files that they are in the archive. `delete`: they remove what lower layers have in a directory that holds the whole tree.
   */
  readonly whiteouts: 'overlay' | 'files' | 'delete';
  /** The prefix of the opaque attribute; `trusted.overlay.` when not given. */
  readonly xattrPrefix?: OverlayPrefix;
  /**
   * The directories of the layers below, nearest first, where `target` is a layer's own: directories that the archive has no
   * member for take owner, mode, attributes and times from there.
   */
  readonly lowers?: readonly string[];
}

/** What was unpacked. */
export interface UnpackResult {
  /** Bytes of file contents that the archive declares, as Docker counts a layer's size. */
  readonly size: number;
  /** Bytes of the targets of symbolic links, which Docker counts too where it asks the filesystem. */
  readonly linkBytes: number;
  /** Members of the archive. */
  readonly entries: number;
  /** One line each on what could not be kept: extended attributes that the filesystem does not have. */
  readonly warnings: readonly string[];
}

/**
 * Unpacks a layer that a `TarReader` reads, with synchronous system calls. Every byte of the archive is taken to be
 * hostile: names never lead out of the target (see `LayerTree`), and what breaks the rules ends in a `TsengineError`
 * (`InvalidParameter`, `System`) of one line that names the member. After an error, `close` is all that may be called.
 *
 * Docker's behaviour, where Docker has one: a later member replaces an earlier one of its name, but a directory keeps
 * what is in it; missing parents are made, root's with mode 0755 where no lower layer has them; a path through a symbolic link stays inside; link
 * texts are kept as they are; a hard link's member sets the attributes of its file anew. In a user namespace devices are left out. Where it differs:
 *
 * - `../x` is refused, as a name and as a hard link's target; Docker, which unpacks in a chroot, takes it for `/x`.
 * - A whiteout hides lower layers only, whatever the order of members. In Docker's overlay2, one of a name that came
 *   before it fails, and a directory that comes after it shows the lower one's files.
 * - A device 0/0 counts as a whiteout of its name with either kind of target, as it would for overlayfs.
 * - Overlayfs's own extended attributes are left out.
 * - What lies below a name that starts with `.wh.` is refused: it could not leave as a layer again.
 * - The root's member (`./`) sets the attributes of the target; Docker does so with vfs and not with overlay2.
 */
export class Unpacker implements TarSink {
  readonly #tree: LayerTree;
  readonly #lower: LowerFiles | undefined;
  readonly #marks: LayerMarks | undefined;
  readonly #links: HardLinks;
  readonly #attributes = new Attributes();
  readonly #directories: PendingDirectories;
  readonly #implied: ImpliedDirectories;
  readonly #withoutDevices = inUserNamespace();
  #file: FileBeingWritten | undefined;
  #entry: TarEntry | undefined;
  #size = 0;
  #linkBytes = 0;
  #entries = 0;

  /** `target` is a directory that exists; nothing else may write in it until `finish` or `close`. */
  constructor(target: string, options: UnpackerOptions) {
    this.#marks = marksOf(options);
    this.#tree = new LayerTree(target, {
      marks: this.#marks,
      onMade: (dirfd, name, fd) => {
        this.#lower?.own(dirfd, name);
        this.#implied.made(fd, this.#directories);
      },
    });
    this.#implied = new ImpliedDirectories(target, options, this.#attributes);
    try {
      this.#lower = this.#marks !== undefined ? undefined : new LowerFiles(this.#tree.rootFd);
    } catch (error) {
      this.#tree.close();
      throw error;
    }
    this.#links = new HardLinks(this.#tree);
    this.#directories = new PendingDirectories(this.#tree);
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.#entries++;
    this.#size += entry.size;
    if (entry.type === 'symlink') this.#linkBytes += entry.linkName.length;
    this.#attempt(entry, () => this.#unpack(entry));
  }

  data(chunk: Buffer): void {
    const file = this.#file;
    if (file === undefined || this.#entry === undefined) return;
    this.#attempt(this.#entry, () => file.write(chunk));
  }

  endEntry(): void {
    const file = this.#file;
    const entry = this.#entry;
    if (file === undefined || entry === undefined) return;
    this.#attempt(entry, () => {
      file.finish();
      this.#attributes.setOpen(file.fd, entry);
      this.#file = undefined;
      file.close();
    });
  }

  /** The archive is complete: directories get their times. Gives what was unpacked; `close` must still be called. */
  finish(): UnpackResult {
    this.#attempt(this.#entry ?? { name: Buffer.from('./') }, () => {
      this.#links.close();
      this.#directories.apply(this.#attributes);
    });
    return {
      size: this.#size,
      linkBytes: this.#linkBytes,
      entries: this.#entries,
      warnings: this.#attributes.warnings(),
    };
  }

  /** Closes everything, after `finish` or after an error. */
  close(): void {
    const file = this.#file;
    this.#file = undefined;
    try {
      file?.close();
      this.#directories.close();
      this.#implied[Symbol.dispose]();
      this.#links.close();
    } finally {
      this.#tree.close();
    }
  }

  #attempt(entry: Pick<TarEntry, 'name'>, run: () => void): void {
    try {
      run();
    } catch (error) {
      throw error instanceof SyscallError ? unpackError(entry.name, error) : error;
    }
  }

  #unpack(entry: TarEntry): void {
    this.#tree.begin();
    const where = cleanPath(entry.name, entry.name);
    const kind = nameKind(where.path);
    switch (kind.kind) {
      case 'plain':
        this.#place(entry, where);
        break;
      case 'whiteout':
        this.#whiteout(this.#tree.directory(entry.name, where.parent), latin1(kind.hides), entry);
        break;
      case 'opaque':
        this.#opaque(this.#tree.directory(entry.name, where.parent), entry);
        break;
      case 'metadata':
        this.#stash(entry, where);
        break;
      case 'invalid':
        throw refusal(entry.name, kind.reason);
    }
  }

  #place(entry: TarEntry, where: LayerPath): void {
    if (where.path === '') {
      this.#root(entry);
      return;
    }
    const dirfd = this.#tree.directory(entry.name, where.parent);
    const name = latin1(where.base);
    if (entry.type === 'char' && entry.devMajor === 0 && entry.devMinor === 0) {
      this.#whiteout(dirfd, name, entry);
      return;
    }
    if ((entry.type === 'char' || entry.type === 'block') && this.#withoutDevices) return;
    this.#make(dirfd, name, entry, where.path);
    if (entry.type !== 'directory') this.#marks?.uncover(dirfd, name, undefined);
    if (this.#lower?.any === true) this.#lower.own(dirfd, name);
  }

  #make(dirfd: number, name: Buffer, entry: TarEntry, path: string): void {
    switch (entry.type) {
      case 'file':
        this.#create(dirfd, name, entry);
        break;
      case 'directory':
        this.#directory(dirfd, name, entry, path);
        break;
      case 'hardlink':
        this.#hardLink(dirfd, name, entry);
        break;
      case 'symlink':
        this.#symlink(dirfd, name, entry);
        break;
      case 'fifo':
        this.#node(dirfd, name, entry, S_IFIFO);
        break;
      case 'char':
        this.#node(dirfd, name, entry, S_IFCHR);
        break;
      case 'block':
        this.#node(dirfd, name, entry, S_IFBLK);
        break;
    }
  }

  #root(entry: TarEntry): void {
    if (entry.type !== 'directory') throw refusal(entry.name, 'it would replace the root of the layer');
    this.#attributes.setOpen(this.#tree.rootFd, entry);
    this.#directories.add('', entry);
  }

  #create(dirfd: number, name: Buffer, entry: TarEntry): void {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    const fd = this.#replacing(dirfd, name, () => openAt(dirfd, name, flags, 0o600));
    this.#file = new FileBeingWritten(fd, entry);
    this.#file.setSize(entry.size);
  }

  #directory(dirfd: number, name: Buffer, entry: TarEntry, path: string): void {
    const before = lstatIfAny(dirfd, name);
    const merged = before !== undefined && isDirectory(before);
    if (merged) this.#attributes.removeOthers(dirfd, name, entry);
    const fd = merged
      ? openAt(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      : this.#tree.makeDirectory(dirfd, name, before);
    this.#tree.keep(path, fd);
    this.#attributes.setOpen(fd, entry);
    this.#directories.add(path, entry);
  }

  #hardLink(dirfd: number, name: Buffer, entry: TarEntry): void {
    const target = this.#links.target(entry);
    const before = lstatIfAny(dirfd, name);
    if (before !== undefined) {
      const same = before.ino === target.stat.ino && before.devMinor === target.stat.devMinor;
      if (same && before.devMajor === target.stat.devMajor) return;
      this.#tree.remove(dirfd, name, before);
    }
    linkAt(target.dirfd, target.name, dirfd, name);
    if (!target.stashed) this.#attributes.setLinked(dirfd, name, entry, target.stat);
  }

  #symlink(dirfd: number, name: Buffer, entry: TarEntry): void {
    const text = entry.linkName;
    if (text.includes(0)) throw refusal(entry.name, 'its symbolic link contains a NUL byte');
    if (text.length === 0) throw refusal(entry.name, 'its symbolic link is empty');
    if (text.length > LIMITS.path) {
      throw refusal(entry.name, `its symbolic link is longer than ${LIMITS.path} bytes`);
    }
    this.#replacing(dirfd, name, () => symlinkAt(text, dirfd, name));
    this.#attributes.setNamed(dirfd, name, entry);
  }

  #node(dirfd: number, name: Buffer, entry: TarEntry, type: number): void {
    this.#replacing(dirfd, name, () => mknodAt(dirfd, name, type | 0o600, entry.devMajor, entry.devMinor));
    this.#attributes.setNamed(dirfd, name, entry);
  }

  /** A name of lower layers is gone. */
  #whiteout(dirfd: number, name: Buffer, entry: TarEntry): void {
    const marks = this.#marks;
    if (marks === undefined) {
      this.#lower?.remove(dirfd, name, entry.name);
      this.#tree.forget();
      return;
    }
    const own = marks.hide(dirfd, name);
    // The layer's own: a file hides the lower one already, a directory has to be told to.
    if (own !== undefined && isDirectory(own)) withDirectory(dirfd, name, (fd) => marks.makeOpaque(fd));
  }

  /** The directory hides what lower layers have in it. */
  #opaque(dirfd: number, entry: TarEntry): void {
    const marks = this.#marks;
    if (marks !== undefined) {
      withDirectory(dirfd, '.', (fd) => marks.makeOpaque(fd));
      return;
    }
    this.#lower?.empty(dirfd, entry.name);
    this.#tree.forget();
  }

  #stash(entry: TarEntry, where: LayerPath): void {
    const dirfd = this.#links.stashFor(where, entry);
    if (dirfd !== undefined) this.#create(dirfd, latin1(where.base), entry);
  }

  /** Makes something under a name; what had the name before is removed first. */
  #replacing<T>(dirfd: number, name: Buffer, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!failedWith(error, 'EEXIST')) throw error;
    }
    const before = lstatIfAny(dirfd, name);
    if (before !== undefined) this.#tree.remove(dirfd, name, before);
    return make();
  }
}

function marksOf({ whiteouts, xattrPrefix }: UnpackerOptions): LayerMarks | undefined {
  if (whiteouts === 'delete') return undefined;
  return whiteouts === 'files' ? aufsMarks() : overlayMarks(`${xattrPrefix ?? 'trusted.overlay.'}opaque`);
}
