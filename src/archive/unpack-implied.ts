/**
 * Directories that a layer needs and has no member for: it says nothing of them, so they are what they are in the layers below.
 * Where a driver's layers are whole trees they are there already; in a layer's own directory they are made, and take
 * their attributes from below.
 */
import { fchmod, fchown, readlinkAt } from '../linux/at.ts';
import { AT_FDCWD } from '../linux/stat.ts';
import { fsetxattr, lgetxattr, llistxattr } from '../linux/xattr.ts';
import { type LowerFile, LowerLayers } from './lower-layers.ts';
import { aufsMarks, overlayfsMarks } from './union-marks.ts';
import { type Attributes, DEFAULT_ACL, procPath } from './unpack-attributes.ts';
import type { PendingDirectories } from './unpack-directories.ts';
import type { UnpackerOptions } from './unpack-sink.ts';
import { failedWith } from './unpack-tree.ts';
import { isLayerXattr } from './whiteouts.ts';

/** Gives implied directories what the layers below have. */
export class ImpliedDirectories implements Disposable {
  readonly #target: string;
  readonly #options: UnpackerOptions;
  readonly #attributes: Attributes;
  /** The layer's own directory and the lower ones; opened for the first directory, which most layers do not have. */
  #layers: LowerLayers | undefined;
  /** A directory that lower layers do not have: what is in it needs no search. Layers come directory by directory. */
  #new: Buffer | undefined;

  constructor(target: string, options: UnpackerOptions, attributes: Attributes) {
    this.#target = target;
    this.#options = options;
    this.#attributes = attributes;
  }

  /** A directory was made, and is open: it gets owner, mode and attributes now, and the rest in the end. */
  made(fd: number, pending: PendingDirectories): void {
    const { lowers = [] } = this.#options;
    if (lowers.length === 0) return;
    this.#layers ??= new LowerLayers([this.#target, ...lowers], this.#marks());
    const path = this.#pathOf(fd);
    if (path === undefined || (this.#new !== undefined && path.indexOf(this.#new) === 0)) return;
    const below = this.#layers.below(path);
    if (below === undefined) {
      this.#new = Buffer.concat([path, Buffer.from('/')]);
      return;
    }
    fchown(fd, below.stat.uid, below.stat.gid);
    fchmod(fd, below.stat.mode & 0o7777);
    const acl = this.#copyXattrs(fd, path, below);
    pending.addTimes(path.toString('latin1', 1), acl, below.stat);
  }

  [Symbol.dispose](): void {
    this.#layers?.[Symbol.dispose]();
    this.#layers = undefined;
  }

  #marks() {
    const { whiteouts, xattrPrefix = 'trusted.overlay.' } = this.#options;
    return whiteouts === 'files' ? aufsMarks : overlayfsMarks(xattrPrefix);
  }

  /** Its path within the layer, whichever links led there; `undefined` past what the kernel tells, which is 4096 bytes. */
  #pathOf(fd: number): Buffer | undefined {
    const [root = -1] = this.#layers?.roots ?? [];
    try {
      return linkOf(fd).subarray(linkOf(root).length);
    } catch (error) {
      if (failedWith(error, 'ENAMETOOLONG')) return undefined;
      throw error;
    }
  }

  /** Gives the ACL that is set in the end. */
  #copyXattrs(fd: number, path: Buffer, below: LowerFile): Buffer | undefined {
    const from = procPath(below.fd, below.name);
    let acl: Buffer | undefined;
    for (const name of llistxattr(from)) {
      const key = name.toString('latin1');
      const value = isLayerXattr(key) ? lgetxattr(from, name) : undefined;
      if (value === undefined) continue;
      if (key === DEFAULT_ACL) acl = value;
      else this.#set(fd, path, name, value);
    }
    return acl;
  }

  #set(fd: number, path: Buffer, name: Buffer, value: Buffer): void {
    try {
      fsetxattr(fd, name, value);
    } catch (error) {
      if (!failedWith(error, 'EOPNOTSUPP', 'EPERM')) throw error;
      this.#attributes.lost({ name: path.subarray(1) }, name.toString('latin1'), error);
    }
  }
}

function linkOf(fd: number): Buffer {
  return readlinkAt(AT_FDCWD, Buffer.from(`/proc/self/fd/${fd}`));
}
