import { TsengineError } from '../errors.ts';
import { closeFd, O_DIRECTORY, O_PATH, O_RDONLY, openAt } from '../linux/at.ts';
import { AT_FDCWD, fstat, S_IFDIR, S_IFMT, S_IFREG } from '../linux/stat.ts';
import { printableMember } from './fail.ts';
import {
  emptyFile,
  entryFor,
  type FileXattrs,
  whiteoutEntry,
  xattrsOfOpen,
  xattrsOfPath,
} from './pack-entry.ts';
import { FilePacker, type PackOptions, packError } from './pack-files.ts';
import { procPath } from './unpack-attributes.ts';
import { comparePaths, isGone, lstatUnlessGone, openBeneath, type WalkEntry, walkTree } from './walk.ts';
import {
  isWhiteoutDevice,
  nameKind,
  type OverlayPrefix,
  WHITEOUT_OPAQUE,
  WHITEOUT_OPAQUE_OLD,
} from './whiteouts.ts';

export type { PackOptions } from './pack-files.ts';

/** How a whole tree is packed. */
export interface PackTreeOptions extends PackOptions {
  /** Whether the root itself is the first member (`./`). Default no, as in Docker's layers and exports. */
  readonly includeRoot?: boolean;
  /** Whether all directories are listed once before: see `MountedLayer.countsNamesLate`. Default no. */
  readonly listsFirst?: boolean;
}

/** How an upper directory of overlayfs is packed. */
export interface PackOverlayOptions extends PackOptions {
  /** The prefix of overlayfs's extended attributes; `trusted.overlay.` when not given. */
  readonly xattrPrefix?: OverlayPrefix;
}

/** How an AUFS branch is packed. */
export interface PackAufsOptions extends PackOptions {
  /**
   * Whether a directory that hides what lower layers have in it hides anything: whoever makes one new may mark it as well.
   * The path is relative, without slashes at its ends; all do when this is not given.
   */
  readonly hides?: (path: Buffer) => boolean;
}

/** A path that differs from a lower layer's: absolute within the tree, `/` first. Its contents are read from the tree. */
export interface PathChange {
  readonly kind: 'modified' | 'added' | 'deleted';
  readonly path: Buffer;
}

/*
 * What all of them promise. The stream is an uncompressed tar in the order of `comparePaths`, and the same tree gives the
 * same bytes. Kept: types, modes, numeric owners, modification times to the nanosecond, links of both kinds, devices,
 * `user.*` and `trusted.*` attributes, file capabilities, ACLs, large holes. Left out, with a warning: sockets, and
 * names that start with `.wh.`. Nothing is followed out of the tree, whatever is renamed in it meanwhile. Files may
 * change while they are read: one that shrinks is filled up with zeros, one that goes away is left out, and neither is
 * an error. What cannot be read is one (`System`, with the file's name).
 */

/** A whole tree: an export, or a layer against nothing. */
export async function* packTree(root: string, options: PackTreeOptions = {}): AsyncGenerator<Buffer> {
  const packer = new FilePacker(options);
  if (options.includeRoot === true) yield* packRoot(packer, root);
  if (options.listsFirst === true) for (const _ of walkTree(root));
  for (const file of walkTree(root, (found) => packer.accepts(found))) yield* packer.file(file);
  yield* packer.out.end();
}

/**
 * The upper directory of an overlay as a layer: devices 0/0 become `.wh.NAME`, opaque directories get `.wh..wh..opq`.
 * A file whose content overlayfs left in a lower layer (`metacopy`), or a directory that was renamed over one
 * (`redirect`), is not all there: that is an error (`Unavailable`), and the trees have to be compared instead.
 */
export async function* packOverlayDiff(
  upper: string,
  options: PackOverlayOptions = {},
): AsyncGenerator<Buffer> {
  const packer = new FilePacker(options);
  const prefix = options.xattrPrefix ?? 'trusted.overlay.';
  for (const file of walkTree(upper, (found) => packer.accepts(found))) {
    yield* packUpperFile(packer, file, prefix);
  }
  yield* packer.out.end();
}

/**
 * The writable branch of an AUFS union as a layer: whiteouts leave as they are, but always with the same attributes, and
 * AUFS's own files (`.wh..wh.plnk` and others) not at all.
 */
export async function* packAufsDiff(branch: string, options: PackAufsOptions = {}): AsyncGenerator<Buffer> {
  const packer = new FilePacker(options);
  const accepts = (file: WalkEntry): boolean =>
    isWhiteoutFile(file) || (!isMark(file) && packer.accepts(file));
  for (const file of walkTree(branch, accepts)) {
    if (isWhiteoutFile(file)) {
      yield* packer.out.header(emptyFile(file.path));
      continue;
    }
    yield* packer.file(file);
    if (
      (file.stat.mode & S_IFMT) === S_IFDIR &&
      isOpaqueBranch(file) &&
      options.hides?.(file.path) !== false
    ) {
      yield* packer.out.header(opaqueEntry(file.path));
    }
  }
  yield* packer.out.end();
}

function kindOf({ name }: WalkEntry): ReturnType<typeof nameKind> {
  return nameKind(name.toString('latin1'));
}

function isWhiteoutFile(file: WalkEntry): boolean {
  return kindOf(file).kind === 'whiteout' && (file.stat.mode & S_IFMT) === S_IFREG;
}

function isMark(file: WalkEntry): boolean {
  const { kind } = kindOf(file);
  return kind === 'opaque' || kind === 'metadata';
}

function isOpaqueBranch({ dirfd, name }: WalkEntry): boolean {
  return [WHITEOUT_OPAQUE, WHITEOUT_OPAQUE_OLD].some(
    (mark) => lstatUnlessGone(dirfd, Buffer.concat([name, Buffer.from(`/${mark}`)])) !== undefined,
  );
}

function opaqueEntry(path: Buffer): ReturnType<typeof emptyFile> {
  return emptyFile(Buffer.concat([path, Buffer.from(`/${WHITEOUT_OPAQUE}`)]));
}

/**
 * Some paths of a tree, as a layer over another: deleted ones become `.wh.NAME`. A directory's own attributes are
 * packed and not what is in it. Paths that are not there are left out.
 */
export async function* packPaths(
  root: string,
  changes: Iterable<PathChange>,
  options: PackOptions = {},
): AsyncGenerator<Buffer> {
  const packer = new FilePacker(options);
  const sorted = [...changes].sort((left, right) => comparePaths(left.path, right.path));
  const rootFd = openAt(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
  const parents = new Parents(rootFd);
  try {
    for (const change of sorted) {
      const path = change.path.subarray(change.path[0] === 0x2f ? 1 : 0);
      if (path.length === 0) continue;
      if (change.kind === 'deleted') {
        yield* packer.out.header(whiteoutEntry(path));
        continue;
      }
      const file = parents.find(path);
      if (file !== undefined && packer.accepts(file)) yield* packer.file(file);
    }
    yield* packer.out.end();
  } finally {
    parents.close();
    closeFd(rootFd);
  }
}

function* packRoot(packer: FilePacker, root: string): Generator<Buffer> {
  const fd = openAt(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
  try {
    const name = Buffer.from('.');
    yield* packer.out.header(entryFor(name, 'directory', fstat(fd), xattrsOfOpen(fd).layer));
  } finally {
    closeFd(fd);
  }
}

function* packUpperFile(packer: FilePacker, file: WalkEntry, prefix: OverlayPrefix): Generator<Buffer> {
  if (isWhiteoutDevice(file.stat)) {
    yield* packer.out.header(whiteoutEntry(file.path));
    return;
  }
  const type = file.stat.mode & S_IFMT;
  // An empty file may be a whiteout; the attributes of any other are looked at when it is open.
  const isFull = type === S_IFREG && file.stat.size > 0;
  const xattrs = isFull || (type !== S_IFREG && type !== S_IFDIR) ? undefined : upperXattrs(file);
  if (type === S_IFREG && xattrs?.overlay.has(`${prefix}whiteout`) === true) {
    yield* packer.out.header(whiteoutEntry(file.path));
    return;
  }
  const refuse = ({ overlay }: FileXattrs): void => {
    for (const name of ['metacopy', 'redirect']) {
      if (overlay.has(prefix + name)) throw elsewhere(file.path, prefix + name);
    }
  };
  if (xattrs !== undefined) refuse(xattrs);
  yield* packer.file(file, { known: xattrs?.layer, check: refuse });
  if (type === S_IFDIR && xattrs?.overlay.get(`${prefix}opaque`)?.toString() === 'y') {
    yield* packer.out.header(opaqueEntry(file.path));
  }
}

function upperXattrs(file: WalkEntry): FileXattrs | undefined {
  try {
    return xattrsOfPath(procPath(file.dirfd, file.name));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw packError(file.path, error);
  }
}

function elsewhere(path: Buffer, attribute: string): TsengineError {
  const message = `"${printableMember(path)}" has ${attribute}: part of it is in a lower layer, and this directory alone is no layer`;
  return new TsengineError('Unavailable', message);
}

/** Opens the directories that paths lie in, the last one kept for the paths beside it. */
class Parents {
  readonly #rootFd: number;
  #path: Buffer | undefined;
  #fd: number | undefined;

  constructor(rootFd: number) {
    this.#rootFd = rootFd;
  }

  /** The file of a path; `undefined` when it is not there. Its directory is open until the next call. */
  find(path: Buffer): WalkEntry | undefined {
    const slash = path.lastIndexOf(0x2f);
    const dirfd = this.#open(path.subarray(0, Math.max(0, slash)));
    if (dirfd === undefined) return undefined;
    const name = path.subarray(slash + 1);
    const stat = lstatUnlessGone(dirfd, name);
    return stat === undefined ? undefined : { path, name, dirfd, stat };
  }

  close(): void {
    if (this.#fd !== undefined) closeFd(this.#fd);
    this.#fd = undefined;
    this.#path = undefined;
  }

  #open(path: Buffer): number | undefined {
    if (this.#path?.equals(path) === true) return this.#fd;
    this.close();
    try {
      this.#fd = openBeneath(this.#rootFd, path, O_PATH | O_DIRECTORY);
    } catch (error) {
      if (!isGone(error)) throw packError(path, error);
    }
    this.#path = path;
    return this.#fd;
  }
}
