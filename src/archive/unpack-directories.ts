import { closeFd, futimens, O_DIRECTORY, O_RDWR, openAt } from '../linux/at.ts';
import { SyscallError } from '../linux/errno.ts';
import { readInto, writeAll } from '../linux/files.ts';
import type { FileStat } from '../linux/stat.ts';
import { fsetxattr } from '../linux/xattr.ts';
import type { TarEntry } from './types.ts';
import { type Attributes, accessTime, DEFAULT_ACL } from './unpack-attributes.ts';
import { latin1, unpackError } from './unpack-name.ts';
import { failedWith, type LayerTree } from './unpack-tree.ts';

/** A file without a name (open(2), the same on x86-64 and arm64 but for O_DIRECTORY, which is part of it). */
const O_TMPFILE = 0o20000000 | O_DIRECTORY;

/** Bytes that are held in memory. */
const HELD = 1024 * 1024;
/** Bytes of a record before its variable part: lengths of path and ACL (u32 each), then twice seconds and nanoseconds. */
const FIXED = 4 + 4 + 2 * (8 + 4);

/**
 * What directories get only when the layer is complete: their times, because every file made in one changes them, and
 * the ACL that new files would inherit. Past a mebibyte the list goes to a nameless file in the layer's filesystem, so
 * that memory does not grow with the number of directories.
 */
export class PendingDirectories {
  readonly #tree: LayerTree;
  #held = Buffer.allocUnsafe(4096);
  #length = 0;
  #file: number | undefined;
  #fileless = false;

  constructor(tree: LayerTree) {
    this.#tree = tree;
  }

  /** Notes what the directory `path` will get. The last note of a path counts. */
  add(path: string, entry: TarEntry): void {
    const atime = accessTime(entry);
    const times = { atime: typeof atime === 'string' ? entry.mtime : atime, mtime: entry.mtime };
    this.addTimes(path, entry.xattrs.get(DEFAULT_ACL), times);
  }

  /** The same for a directory without a member. */
  addTimes(path: string, acl: Buffer | undefined, times: Pick<FileStat, 'atime' | 'mtime'>): void {
    const length = FIXED + path.length + (acl?.length ?? 0);
    this.#reserve(length);
    const at = this.#length;
    const record = this.#held;
    record.writeUInt32LE(path.length, at);
    // One more than its length, so that an empty one differs from none.
    record.writeUInt32LE(acl === undefined ? 0 : acl.length + 1, at + 4);
    writeTime(record, at + 8, times.atime);
    writeTime(record, at + 20, times.mtime);
    record.write(path, at + FIXED, 'latin1');
    acl?.copy(record, at + FIXED + path.length);
    this.#length += length;
  }

  /** Gives all directories that are still there what was noted. */
  apply(attributes: Attributes): void {
    if (this.#file === undefined) {
      this.#applyAll(this.#held.subarray(0, this.#length), attributes);
      return;
    }
    this.#spill();
    const buffer = Buffer.allocUnsafe(HELD);
    // What is left of a piece is less than one record: a path and an ACL, 68 KiB together at most.
    let kept = 0;
    for (let position = 0; ; ) {
      const read = readInto(this.#file, buffer, kept, buffer.length - kept, position);
      if (read === 0) return;
      position += read;
      const used = this.#applyAll(buffer.subarray(0, kept + read), attributes);
      kept = kept + read - used;
      buffer.copy(buffer, 0, used, used + kept);
    }
  }

  /** Frees the list. */
  close(): void {
    if (this.#file !== undefined) closeFd(this.#file);
    this.#file = undefined;
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#held.length) return;
    if (this.#held.length >= HELD && !this.#fileless) this.#spill();
    if (this.#length + length <= this.#held.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#held.length * 2, this.#length + length));
    this.#held.copy(larger, 0, 0, this.#length);
    this.#held = larger;
  }

  #spill(): void {
    try {
      this.#file ??= openAt(this.#tree.rootFd, '.', O_TMPFILE | O_RDWR, 0o600);
    } catch (error) {
      // Filesystems without nameless files say one of these.
      if (!failedWith(error, 'EOPNOTSUPP', 'EISDIR', 'EINVAL')) throw error;
      this.#fileless = true;
      return;
    }
    writeAll(this.#file, this.#held.subarray(0, this.#length));
    this.#length = 0;
  }

  /** Applies the whole records in `records`; gives the bytes they took. */
  #applyAll(records: Buffer, attributes: Attributes): number {
    let at = 0;
    while (at + FIXED <= records.length) {
      const pathEnd = at + FIXED + records.readUInt32LE(at);
      const aclLength = records.readUInt32LE(at + 4);
      const end = pathEnd + Math.max(0, aclLength - 1);
      if (end > records.length) break;
      const path = records.toString('latin1', at + FIXED, pathEnd);
      const acl = aclLength === 0 ? undefined : Buffer.from(records.subarray(pathEnd, end));
      this.#finish(path, acl, records.subarray(at + 8, at + FIXED), attributes);
      at = end;
    }
    return at;
  }

  #finish(path: string, acl: Buffer | undefined, times: Buffer, attributes: Attributes): void {
    const fd = this.#tree.openExisting(path);
    if (fd === undefined) return;
    try {
      if (acl !== undefined) setDefaultAcl(fd, path, acl, attributes);
      futimens(fd, readTime(times, 0), readTime(times, 12));
    } catch (error) {
      throw error instanceof SyscallError ? unpackError(latin1(path === '' ? './' : path), error) : error;
    } finally {
      closeFd(fd);
    }
  }
}

function setDefaultAcl(fd: number, path: string, acl: Buffer, attributes: Attributes): void {
  try {
    fsetxattr(fd, DEFAULT_ACL, acl);
  } catch (error) {
    if (!failedWith(error, 'EOPNOTSUPP', 'EPERM')) throw error;
    attributes.lost({ name: latin1(path) }, DEFAULT_ACL, error);
  }
}

function writeTime(record: Buffer, at: number, time: { readonly sec: number; readonly nsec: number }): void {
  record.writeDoubleLE(time.sec, at);
  record.writeUInt32LE(time.nsec, at + 8);
}

function readTime(record: Buffer, at: number): { sec: number; nsec: number } {
  return { sec: record.readDoubleLE(at), nsec: record.readUInt32LE(at + 8) };
}
