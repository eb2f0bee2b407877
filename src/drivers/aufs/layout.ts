/**
 * aufs on disk, as Docker 20.10 writes it. Below the driver's home (0710):
 *
 * ```
 * diff/<id>/            what the layer adds: the writable branch of its union, a read-only one of its children's
 * layers/<id>    0644   the ids of its parents, nearest first, a line each; empty without a parent
 * mnt/<id>/      0755   the mount point; always there
 * .tsengine/     0700   ours: `layers/<id>` of layers that are being made or removed (../staging.ts)
 * .tsengine-work/<id>/  ours: the work directory of a FUSE union; there from before the mount until its branch is settled
 * ```
 *
 * Invariants: the file `layers/<id>` makes the layer. It is renamed into place when all else is there, and renamed away before
 * anything else goes. While it is neither there nor gone it is in `.tsengine` by the layer's id, and whoever finds it there
 * deletes with it what has that id. A crash leaves such files, and folders that such files name; nothing else.
 */
import { hasErrno, TsengineError } from '../../errors.ts';
import { chmodAt, lchownAt } from '../../linux/at.ts';
import {
  listDirectory,
  makeDirectories,
  makeDirectory,
  pathExists,
  readTextIfAny,
  removeDirectory,
  removeFile,
} from '../../linux/files.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { AT_FDCWD, lstat } from '../../linux/stat.ts';
import { isLayerId, noSuchLayer } from '../layer-id.ts';
import { isDirectory } from '../staging.ts';

/** The folder of work directories. */
export const WORK_FOLDER = '.tsengine-work';

/** Paths of one data root's aufs folder. */
export class Layout {
  readonly home: string;

  constructor(home: string) {
    this.home = home;
  }

  /** The layer's own files: a branch. */
  diff(id: string): string {
    return `${this.home}/diff/${id}`;
  }
  /** The file that says what it stands on. */
  record(id: string): string {
    return `${this.home}/layers/${id}`;
  }
  mountPoint(id: string): string {
    return `${this.home}/mnt/${id}`;
  }
  work(id: string): string {
    return `${this.home}/${WORK_FOLDER}/${id}`;
  }

  /** Whether there is a layer of this id. */
  exists(id: string): boolean {
    return isLayerId(id) && pathExists(this.record(id));
  }

  /** The ids of all layers. */
  list(): string[] {
    return listDirectory(`${this.home}/layers`).filter(isLayerId);
  }

  /** The ids of layers whose branch may not be what their union showed. */
  unsettled(): string[] {
    return listDirectory(`${this.home}/${WORK_FOLDER}`).filter(isLayerId);
  }

  /** The ids of the layer's parents, nearest first. Fails with `NotFound`, and with `Corrupt` where the file holds no ids. */
  parents(id: string): readonly string[] {
    const text = readTextIfAny(this.record(id));
    if (text === undefined) throw noSuchLayer('aufs', id);
    const ids = text.split('\n').filter((line) => line !== '');
    const bad = ids.find((one) => !isLayerId(one) || one === id);
    if (bad === undefined) return ids;
    throw new TsengineError(
      'Corrupt',
      `${this.record(id)}: ${JSON.stringify(bad)} is not the id of a parent: put the file back from a backup, or remove what needs this layer`,
    );
  }

  /** Makes what a layer has besides its record, its root like that of the parent. What a crash left of that id goes first. */
  makeFolders(id: string, parent: string | undefined): void {
    this.removeFolders(id);
    makeDirectory(this.mountPoint(id), 0o755);
    chmodAt(AT_FDCWD, this.mountPoint(id), 0o755);
    makeDirectory(this.diff(id), 0o755);
    // A union shows the attributes of its topmost root.
    const like = parent === undefined ? undefined : lstat(this.diff(parent));
    if (like !== undefined && (like.uid !== 0 || like.gid !== 0)) {
      lchownAt(AT_FDCWD, this.diff(id), like.uid, like.gid);
    }
    chmodAt(AT_FDCWD, this.diff(id), (like?.mode ?? 0o755) & 0o7777);
  }

  /** Removes what a layer has besides its record, as far as it is there. Nothing of it may be mounted. */
  removeFolders(id: string): void {
    for (const path of [this.diff(id), this.work(id)]) if (isDirectory(path)) removeTree(path);
    try {
      removeDirectory(this.mountPoint(id));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }

  /** Deletes a layer whose record is now at `path`, unless another one of that id was made since. */
  discard(path: string, id = idOf(path)): void {
    if (isLayerId(id) && (path === this.record(id) || !this.exists(id))) this.removeFolders(id);
    removeFile(path);
  }

  /** Makes the home and its folders. Docker's modes. */
  make(dataRoot: string): void {
    if (!isDirectory(dataRoot)) makeDirectories(dataRoot, 0o710);
    for (const [name, mode] of [
      ['', 0o710],
      ['/mnt', 0o710],
      ['/diff', 0o710],
      ['/layers', 0o710],
      [`/${WORK_FOLDER}`, 0o700],
    ] as const) {
      if (!isDirectory(this.home + name)) makeDirectories(this.home + name, mode);
    }
  }
}

/** Of a path in the staging folder: `<id>.<pid>.<number>`. */
function idOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.\d+\.\d+$/, '');
}
