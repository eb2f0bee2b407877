/**
 * What a machine left on its disk for results, brought into a folder of this machine. The disk is the guest's work, so each
 * name is one component, no symbolic link is ever followed, and what could be of use to somebody else on this machine (a
 * set-ID bit, a device) is left where it is and told.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import {
  chmodAt,
  closeFd,
  fchmod,
  fchown,
  futimens,
  lchownAt,
  linkAt,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
  openAt,
  openAt2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  symlinkAt,
  unlinkAt,
  utimensAt,
} from '../linux/at.ts';
import { writeAll } from '../linux/files.ts';
import { printablePath } from '../linux/path.ts';
import { ftruncate } from '../linux/space.ts';
import {
  AT_FDCWD,
  lstatIfAny,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../linux/stat.ts';
import { statfs } from '../linux/statfs.ts';
import { type DirectoryEntry, Ext4Image, type Inode, ROOT_INODE } from './ext4.ts';
import { finishNode, permissions } from './results-node.ts';
import { type Shortfall, Tally } from './shortfall.ts';

/** Bytes that are copied at once. */
const PIECE = 1024 * 1024;
/** How long signals wait at most while files are copied. Milliseconds. */
const TURN = 30;
const PATH_MAX = 4096;
const SET_ID = 0o6000;

/** How much of a guest's disk is looked at: all that is found is in memory at once. */
export interface TreeLimits {
  /** Names, those that are left behind among them. */
  readonly names: number;
  /** Bytes of their paths. */
  readonly pathBytes: number;
  /** After so many losses no more is looked for. */
  readonly losses: number;
}

const LIMITS: TreeLimits = { names: 1_000_000, pathBytes: 2 ** 29, losses: 10_000 };

/** Bytes that a disk has left which counts as full. */
const NO_ROOM = 2 ** 20;

/** A name on the disk, in the order in which they are made: directories before what is in them. */
interface Found {
  /** Below the root of the disk. */
  readonly path: Buffer;
  readonly inode: Inode;
}

/**
 * Brings the image's files into `folder`, over what is there of the same names. Holes stay holes, hard links links; modes,
 * times and, for root, owners are kept. Fails when the folder's disk has not the room, before anything is written if that
 * can be told, and with the reason of `signal`; what was written by then stays. Limits of their own are for tests.
 */
export async function bringTree(
  image: string,
  folder: string,
  signal?: AbortSignal,
  limits: Partial<TreeLimits> = {},
): Promise<Shortfall> {
  using disk = new Ext4Image(image);
  return await new TreeBringer(disk, folder, signal, { ...LIMITS, ...limits }).bring();
}

class TreeBringer {
  readonly #disk: Ext4Image;
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;
  readonly #limits: TreeLimits;
  readonly #lost = new Tally();
  readonly #left = new Tally();
  readonly #found: Found[] = [];
  /** Where a file was made first, by its number. */
  readonly #made = new Map<number, Buffer>();
  readonly #setsOwners = process.geteuid?.() === 0;
  #lastTurn = performance.now();
  #bytes = 0;
  #names = 0;
  #pathBytes = 0;

  constructor(disk: Ext4Image, folder: string, signal: AbortSignal | undefined, limits: TreeLimits) {
    this.#limits = limits;
    this.#disk = disk;
    this.#folder = folder;
    this.#signal = signal;
  }

  async bring(): Promise<Shortfall> {
    const isCut = !(await this.#findAll());
    const root = openAt(AT_FDCWD, this.#folder, O_PATH | O_DIRECTORY);
    try {
      const { available } = statfs(this.#folder);
      if (this.#bytes > available && this.#bytes > available + (await this.#replacedBytes(root)))
        throw this.#full(`and ${megabytes(available)} are free`);
      for (const found of this.#found) await this.#make(root, found);
      // What is made in a directory changes its times, and its mode may forbid it.
      for (const found of this.#found.reverse())
        if (typeOf(found) === S_IFDIR) this.#try(found.path, () => this.#finishDirectory(root, found));
    } finally {
      closeFd(root);
    }
    const { bytes, names } = this.#disk.room();
    return { lost: this.#lost, left: this.#left, isCut, isFull: bytes < NO_ROOM || names === 0 };
  }

  /** Walks through the disk. Gives whether it came to the end of it. */
  async #findAll(): Promise<boolean> {
    const seen = new Set([ROOT_INODE]);
    const waiting: Found[] = [{ path: Buffer.alloc(0), inode: this.#disk.inode(ROOT_INODE) }];
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      const { path, inode } = folder;
      const names = new Set<string>();
      try {
        for (const entries of this.#disk.directory(inode)) {
          await this.#turn();
          for (const entry of entries) {
            if (this.#lost.count >= this.#limits.losses) return false;
            const found = this.#judge(path, entry, names);
            if (found === undefined) continue;
            if (typeOf(found) === S_IFDIR) {
              if (seen.has(entry.inode)) {
                this.#lose(found.path, 'it is a directory of two names');
                continue;
              }
              seen.add(entry.inode);
              waiting.push(found);
            }
            this.#found.push(found);
          }
        }
      } catch (error) {
        this.#signal?.throwIfAborted();
        this.#lose(path.length === 0 ? Buffer.from('.') : path, error);
      }
    }
    return true;
  }

  #lose(path: Buffer, why: unknown): void {
    this.#lost.add(`${printablePath(path)}: ${typeof why === 'string' ? why : errorMessage(why)}`);
  }

  /** A name that can be made here, with its file; `undefined` for any other, which is noted. */
  #judge(folder: Buffer, { name, inode }: DirectoryEntry, names: Set<string>): Found | undefined {
    const isTop = folder.length === 0;
    const path = isTop ? Buffer.from(name) : Buffer.concat([folder, SLASH, name]);
    if (isTop && name.equals(LOST_AND_FOUND)) return undefined;
    const key = name.toString('latin1');
    try {
      if (name.length === 0 || name.includes('/') || name.includes(0))
        throw new TsengineError('Corrupt', 'it is no name for a file');
      if (names.has(key)) throw new TsengineError('Corrupt', 'its name is there twice');
      if (path.length >= PATH_MAX) throw new TsengineError('Corrupt', 'its path is too long');
      this.#count(path);
      names.add(key);
      const found = { path, inode: this.#disk.inode(inode) };
      if (!this.#isWelcome(found)) return undefined;
      if (typeOf(found) === S_IFREG && !this.#made.has(inode)) {
        // Files are gathered here, and made in the same order.
        this.#made.set(inode, path);
        for (const { length } of this.#disk.extents(found.inode)) this.#bytes += length;
      }
      return found;
    } catch (error) {
      this.#lose(path, error);
      return undefined;
    }
  }

  /** Counts a name. Fails for one that is too many. */
  #count(path: Buffer): void {
    const { names, pathBytes } = this.#limits;
    if (this.#names >= names)
      throw new TsengineError('InvalidParameter', `there are more than ${names} names`);
    if (this.#pathBytes + path.length > pathBytes)
      throw new TsengineError('InvalidParameter', `all paths together have more than ${pathBytes} bytes`);
    this.#names += 1;
    this.#pathBytes += path.length;
  }

  /** Whether something of its type belongs into a folder of results; else it is noted. */
  #isWelcome({ path, inode }: Found): boolean {
    const type = inode.mode & S_IFMT;
    const name = printablePath(path);
    if (type === S_IFSOCK) this.#left.add(`${name} (a socket)`);
    else if (type === S_IFBLK || (type === S_IFCHR && !isWhiteout(inode)))
      this.#left.add(`${name} (a device)`);
    else if (![S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFCHR].includes(type))
      throw new TsengineError('Corrupt', 'its type is unknown');
    else {
      if ((inode.mode & SET_ID) !== 0) this.#left.add(`the set-ID bit of ${name}`);
      return true;
    }
    return false;
  }

  async #make(root: number, found: Found): Promise<void> {
    await this.#turn();
    const { path, inode } = found;
    const name = lastName(path);
    try {
      const parent = openFolderOf(root, path);
      try {
        makeRoom(parent, name, typeOf(found) === S_IFDIR);
        const first = this.#made.get(inode.number);
        if (first === undefined || first.equals(path)) await this.#makeNew(parent, name, inode);
        else linkTo(root, first, parent, name);
      } finally {
        closeFd(parent);
      }
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (hasErrno(error, 'ENOSPC', 'EDQUOT')) throw this.#full(`and ${folderIsFull(path)}`);
      this.#lose(path, error);
    }
  }

  async #makeNew(parent: number, name: Buffer, inode: Inode): Promise<void> {
    const type = inode.mode & S_IFMT;
    if (type === S_IFDIR) return;
    if (type === S_IFREG) return await this.#makeFile(parent, name, inode);
    if (type === S_IFLNK) symlinkAt(this.#disk.linkTarget(inode), parent, name);
    else mknodAt(parent, name, type | 0o600);
    finishNode(parent, name, inode, this.#setsOwners);
  }

  async #makeFile(parent: number, name: Buffer, inode: Inode): Promise<void> {
    const fd = openAt(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      ftruncate(fd, inode.size);
      await this.#copyData(fd, inode);
      if (this.#setsOwners) fchown(fd, inode.uid, inode.gid);
      fchmod(fd, permissions(inode));
      futimens(fd, inode.atime, inode.mtime);
    } catch (error) {
      // Half a file would pass for a whole one.
      unlinkAt(parent, name);
      throw error;
    } finally {
      closeFd(fd);
    }
  }

  async #copyData(fd: number, inode: Inode): Promise<void> {
    for (const { at, from, length } of this.#disk.extents(inode)) {
      for (let done = 0; done < length; done += PIECE) {
        const piece = Buffer.allocUnsafe(Math.min(PIECE, length - done));
        this.#disk.readData(from + done, piece);
        writeAll(fd, piece, at + done);
        await this.#turn();
      }
      await this.#turn();
    }
  }

  /** What files of an earlier run take that are going to be replaced. */
  async #replacedBytes(root: number): Promise<number> {
    let bytes = 0;
    for (const { path } of this.#found) {
      await this.#turn();
      const there = lstatIfAny(root, path);
      if (there !== undefined && (there.mode & S_IFMT) === S_IFREG) bytes += there.blocks * 512;
    }
    return bytes;
  }

  #finishDirectory(root: number, { path, inode }: Found): void {
    const fd = openBelow(root, path);
    try {
      // Of a directory that is only a path a call by name says more than one by descriptor.
      const self = Buffer.from('.');
      if (this.#setsOwners) lchownAt(fd, self, inode.uid, inode.gid);
      // Times first: the mode may take away the way in.
      utimensAt(fd, self, inode.atime, inode.mtime);
      chmodAt(fd, self, permissions(inode));
    } finally {
      closeFd(fd);
    }
  }

  #try(path: Buffer, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#lose(path, error);
    }
  }

  #full(why: string): TsengineError {
    return new TsengineError(
      'System',
      `${this.#folder} has no room for them: they take ${megabytes(this.#bytes)}, ${why}`,
    );
  }

  /** Lets signals through now and then, and ends with one. */
  async #turn(): Promise<void> {
    if (performance.now() - this.#lastTurn < TURN) return;
    await turn();
    this.#lastTurn = performance.now();
    this.#signal?.throwIfAborted();
  }
}

const SLASH = Buffer.from('/');
const LOST_AND_FOUND = Buffer.from('lost+found');

function typeOf({ inode }: Found): number {
  return inode.mode & S_IFMT;
}

/** What overlayfs has for a name that is gone: no device, and anybody may make one. */
function isWhiteout({ device }: Inode): boolean {
  return device.major === 0 && device.minor === 0;
}

function lastName(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf('/') + 1);
}

function openFolderOf(root: number, path: Buffer): number {
  const slash = path.lastIndexOf('/');
  return openBelow(root, slash < 0 ? Buffer.from('.') : path.subarray(0, slash));
}

/** Makes a hard link to the file of that path below `root`. */
function linkTo(root: number, path: Buffer, parent: number, name: Buffer): void {
  const folder = openFolderOf(root, path);
  try {
    linkAt(folder, lastName(path), parent, name);
  } finally {
    closeFd(folder);
  }
}

/** Opens a directory below `root` that no symbolic link leads to. */
function openBelow(root: number, path: Buffer): number {
  return openAt2(root, path, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/** Takes away what has the name, unless a directory is wanted and there; a directory stays where none is wanted, and making fails. */
function makeRoom(parent: number, name: Buffer, wantsDirectory: boolean): void {
  const there = lstatIfAny(parent, name);
  const isDirectory = there !== undefined && (there.mode & S_IFMT) === S_IFDIR;
  if (there !== undefined && !isDirectory) unlinkAt(parent, name);
  if (isDirectory && !wantsDirectory)
    throw new TsengineError('System', 'in its place there is a folder already');
  if (wantsDirectory && !isDirectory) mkdirAt(parent, name, 0o700);
}

function folderIsFull(path: Buffer): string {
  return `its disk was full at ${printablePath(path)}`;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
