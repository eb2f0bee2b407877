/**
 * Reads an ext4 image that a machine could write as it liked. Nothing in it is believed: every number is compared with what
 * the image can hold, every walk ends, and a name is only bytes for the caller to judge. Only what the disk for results can
 * have is known: extents, linear and hashed directories, short and long symbolic links; the journal must have been replayed.
 * Source: Documentation/filesystems/ext4 of Linux.
 */
import { fstatSync } from 'node:fs';
import { TsengineError } from '../errors.ts';
import { closeFile, openFile, readInto } from '../linux/files.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../linux/stat.ts';

/** A moment as the kernel takes it. */
export interface Moment {
  readonly sec: number;
  readonly nsec: number;
}

/** What the image says of a file. */
export interface Inode {
  readonly number: number;
  /** File type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes, as many as it says. */
  readonly size: number;
  readonly atime: Moment;
  readonly mtime: Moment;
  /** Of a device node. */
  readonly device: { readonly major: number; readonly minor: number };
  readonly flags: number;
  /** The 60 bytes that hold extents, a short symbolic link's target, or a device's number. */
  readonly block: Buffer;
}

/** Data of a file: `length` bytes that are at `at` in the file and at `from` in the image. What no extent covers is a hole. */
export interface Extent {
  readonly at: number;
  readonly from: number;
  readonly length: number;
}

/** A name in a directory. */
export interface DirectoryEntry {
  readonly name: Buffer;
  readonly inode: number;
}

/** An extent as it stands in the image, in blocks. */
interface Leaf {
  readonly first: number;
  readonly from: number;
  readonly length: number;
  readonly isData: boolean;
}

/** The root directory's inode. */
export const ROOT_INODE = 2;

const MAGIC = 0xef53;
const FILETYPE = 0x2;
const NEEDS_REPLAY = 0x4;
const EXTENTS = 0x40;
const WIDE = 0x80;
/** Incompatible features that change nothing of what is read here: flex_bg, large_dir, metadata_csum_seed. */
const HARMLESS = 0x200 | 0x4000 | 0x2000;
/** Bits of `Inode.flags`. */
const HAS_EXTENTS = 0x80000;
const IS_ENCRYPTED = 0x800;
const IS_INLINE = 0x10000000;
const EXTENT_MAGIC = 0xf30a;
/** Longer extents are reserved and read as zeros. */
const LONGEST_EXTENT = 32768;
const DEEPEST = 5;
/** Bytes of the table of groups that are read: a disk of 4 GB has two thousand. */
const LONGEST_TABLE = 2 ** 22;
const PATH_MAX = 4096;
/** Bytes of an inode that anything here is read from; the guest may say that it has more. */
const INODE_BYTES = 256;

/** An open image. Its errors are `Corrupt`, and say what is wrong in a few words without naming the file. */
export class Ext4Image implements Disposable {
  readonly #fd: number;
  readonly #size: number;
  readonly #blockSize: number;
  readonly #blocks: number;
  readonly #inodes: number;
  readonly #inodesPerGroup: number;
  readonly #inodeSize: number;
  readonly #descriptorSize: number;
  readonly #descriptorsAt: number;
  readonly #groups: number;
  /** Bytes that may still be read: lists that lead in circles, and files that share their blocks, come to an end. */
  #left = Number.MAX_SAFE_INTEGER;

  /** Opens the image. Fails for one that is no ext4, or of a kind that the lab does not make. */
  constructor(path: string) {
    this.#fd = openFile(path, 'r');
    try {
      this.#size = fstatSync(this.#fd).size;
      this.#left = 3 * this.#size + 2 ** 30;
      const block = this.#read(1024, 1024);
      if (block.readUInt16LE(0x38) !== MAGIC) throw corrupt('there is no ext4 on it any more');
      const features = block.readUInt32LE(0x60);
      if ((features & NEEDS_REPLAY) !== 0) throw corrupt('its journal was not replayed');
      const unknown = features & ~(FILETYPE | EXTENTS | WIDE | HARMLESS);
      if (unknown !== 0 || (features & FILETYPE) === 0)
        throw corrupt(`it has features that the lab does not read (0x${features.toString(16)})`);
      const logBlockSize = block.readUInt32LE(0x18);
      if (logBlockSize > 2) throw corrupt('its blocks are too large');
      const isWide = (features & WIDE) !== 0;
      this.#blockSize = 1024 << logBlockSize;
      this.#blocks = block.readUInt32LE(0x4) + (isWide ? block.readUInt32LE(0x150) * 2 ** 32 : 0);
      this.#inodes = block.readUInt32LE(0x0);
      this.#inodesPerGroup = block.readUInt32LE(0x28);
      this.#inodeSize = block.readUInt16LE(0x58);
      this.#descriptorSize = isWide ? block.readUInt16LE(0xfe) : 32;
      this.#descriptorsAt = (block.readUInt32LE(0x14) + 1) * this.#blockSize;
      this.#groups = Math.ceil(this.#blocks / Math.max(1, block.readUInt32LE(0x20)));
      const isSound =
        this.#blocks * this.#blockSize <= this.#size &&
        this.#inodesPerGroup > 0 &&
        this.#inodeSize >= 128 &&
        this.#inodeSize <= this.#blockSize &&
        this.#descriptorSize >= (isWide ? 64 : 32);
      if (!isSound) throw corrupt('its first block is damaged');
    } catch (error) {
      closeFile(this.#fd);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    closeFile(this.#fd);
  }

  /**
   * What still fits: bytes, and names. The kernel gives nobody the last fiftieth of the blocks, or 4096 of them where that is
   * less. Source: `ext4_has_free_clusters`, `ext4_calculate_resv_clusters` of Linux.
   */
  room(): { readonly bytes: number; readonly names: number } {
    const size = this.#descriptorSize;
    if (this.#groups * size > LONGEST_TABLE) throw corrupt('it has too many groups');
    const all = this.#read(this.#descriptorsAt, this.#groups * size);
    const sum = (low: number, high: number): number => {
      let total = 0;
      for (let at = 0; at < all.length; at += size)
        total += all.readUInt16LE(at + low) + (size >= 64 ? all.readUInt16LE(at + high) * 2 ** 16 : 0);
      return total;
    };
    const kept = Math.min(Math.floor(this.#blocks / 50), 4096);
    return { bytes: Math.max(0, sum(0xc, 0x2c) - kept) * this.#blockSize, names: sum(0xe, 0x2e) };
  }

  /** A file by its number. */
  inode(number: number): Inode {
    if (number < 1 || number > this.#inodes) throw corrupt(`there is no file number ${number}`);
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    const descriptor = this.#read(this.#descriptorsAt + group * this.#descriptorSize, this.#descriptorSize);
    const high = this.#descriptorSize >= 64 ? descriptor.readUInt32LE(0x28) : 0;
    const table = descriptor.readUInt32LE(0x8) + high * 2 ** 32;
    const index = (number - 1) % this.#inodesPerGroup;
    const at = table * this.#blockSize + index * this.#inodeSize;
    return parseInode(number, this.#read(at, Math.min(this.#inodeSize, INODE_BYTES)));
  }

  /** Where a file's data is, in its order. What is reserved and was never written has no length: a hole. */
  *extents(inode: Inode): Generator<Extent> {
    if ((inode.flags & (IS_ENCRYPTED | IS_INLINE)) !== 0 || (inode.flags & HAS_EXTENTS) === 0) {
      if (inode.size === 0) return;
      throw corrupt('its data is kept in a way that the lab does not read');
    }
    const depth = inode.block.readUInt16LE(6);
    if (depth > DEEPEST) throw damagedExtents();
    let next = 0;
    for (const { first, from, length, isData } of this.#leaves(inode.block, depth)) {
      // In ascending order: no node can be visited twice.
      if (first < next) throw damagedExtents();
      next = first + length;
      yield this.#extentOf(inode, first, from, isData ? length : 0);
    }
  }

  *#leaves(node: Buffer, depth: number): Generator<Leaf> {
    const count = node.readUInt16LE(2);
    const isSound =
      node.readUInt16LE(0) === EXTENT_MAGIC &&
      node.readUInt16LE(6) === depth &&
      12 + count * 12 <= node.length;
    if (!isSound) throw damagedExtents();
    for (let at = 12; at < 12 + count * 12; at += 12) {
      if (depth > 0) {
        const block = node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32;
        yield* this.#leaves(this.#block(block), depth - 1);
        continue;
      }
      const said = node.readUInt16LE(at + 4);
      const isData = said <= LONGEST_EXTENT;
      const length = isData ? said : said - LONGEST_EXTENT;
      const from = node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 2 ** 32;
      if (length === 0 || from === 0 || from + length > this.#blocks) throw damagedExtents();
      yield { first: node.readUInt32LE(at), from, length, isData };
    }
  }

  /** In bytes, without what is past the end of the file. */
  #extentOf(inode: Inode, first: number, from: number, blocks: number): Extent {
    const at = first * this.#blockSize;
    const length = Math.max(0, Math.min(blocks * this.#blockSize, inode.size - at));
    return { at, from: from * this.#blockSize, length };
  }

  /** Bytes of the image into `buffer`, as many as it takes. */
  readData(from: number, buffer: Buffer): void {
    this.#left -= buffer.length;
    if (this.#left < 0) throw corrupt('it has more in it than it can hold');
    for (let done = 0; done < buffer.length; ) {
      const count = readInto(this.#fd, buffer, done, buffer.length - done, from + done);
      if (count === 0) throw corrupt('it points past its end');
      done += count;
    }
  }

  /** The names in a directory block by block, without `.` and `..`. A damaged block ends with an error after the ones before it. */
  *directory(inode: Inode): Generator<readonly DirectoryEntry[]> {
    if ((inode.mode & S_IFMT) !== S_IFDIR) throw corrupt('it is no directory');
    for (const { from, length } of this.extents(inode))
      for (let at = 0; at < length; at += this.#blockSize)
        yield entriesOf(this.#read(from + at, this.#blockSize));
  }

  /** Where a symbolic link points. */
  linkTarget(inode: Inode): Buffer {
    const { size } = inode;
    if ((inode.mode & S_IFMT) !== S_IFLNK || size === 0 || size >= PATH_MAX)
      throw corrupt('it is no symbolic link');
    let target = inode.block.subarray(0, size);
    if ((inode.flags & HAS_EXTENTS) !== 0) {
      const extent = this.extents(inode).next().value;
      if (extent === undefined || extent.at !== 0 || extent.length < size)
        throw corrupt('the target of the link is not there');
      target = this.#read(extent.from, size);
    }
    if (target.length < size || target.includes(0)) throw corrupt('the target of the link is damaged');
    return target;
  }

  #block(number: number): Buffer {
    if (number === 0 || number >= this.#blocks) throw corrupt('it points past its end');
    return this.#read(number * this.#blockSize, this.#blockSize);
  }

  #read(from: number, length: number): Buffer {
    if (from + length > this.#size) throw corrupt('it points past its end');
    const buffer = Buffer.alloc(length);
    this.readData(from, buffer);
    return buffer;
  }
}

function parseInode(number: number, raw: Buffer): Inode {
  const mode = raw.readUInt16LE(0);
  const extra = raw.length > 130 ? raw.readUInt16LE(0x80) : 0;
  const moment = (at: number, extraAt: number): Moment => {
    const more = 128 + extra >= extraAt + 4 && raw.length >= extraAt + 4 ? raw.readUInt32LE(extraAt) : 0;
    // The upper 30 bits can say more than there are nanoseconds in a second.
    return { sec: raw.readInt32LE(at) + (more & 3) * 2 ** 32, nsec: Math.min(more >>> 2, 999_999_999) };
  };
  const block = raw.subarray(0x28, 0x28 + 60);
  const old = block.readUInt32LE(0);
  const wide = block.readUInt32LE(4);
  return {
    number,
    mode,
    uid: raw.readUInt16LE(0x2) + raw.readUInt16LE(0x78) * 0x10000,
    gid: raw.readUInt16LE(0x18) + raw.readUInt16LE(0x7a) * 0x10000,
    size:
      raw.readUInt32LE(0x4) +
      ([S_IFREG, S_IFDIR].includes(mode & S_IFMT) ? raw.readUInt32LE(0x6c) * 2 ** 32 : 0),
    atime: moment(0x8, 0x8c),
    mtime: moment(0x10, 0x88),
    device:
      old !== 0
        ? { major: (old >>> 8) & 0xff, minor: old & 0xff }
        : { major: (wide & 0xfff00) >>> 8, minor: (wide & 0xff) | ((wide >>> 12) & 0xfff00) },
    flags: raw.readUInt32LE(0x20),
    block,
  };
}

/** The names in a block of a directory. Checksums and hashed indexes lie in entries without a file, which are passed over. */
function entriesOf(block: Buffer): readonly DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < block.length; ) {
    const length = at + 8 <= block.length ? block.readUInt16LE(at + 4) : 0;
    const nameLength = length < 8 ? 0 : (block[at + 6] ?? 0);
    if (length < 8 + nameLength || length % 4 !== 0 || at + length > block.length)
      throw corrupt('the list of its names is damaged');
    const inode = block.readUInt32LE(at);
    const name = block.subarray(at + 8, at + 8 + nameLength);
    if (inode !== 0 && !['.', '..'].includes(name.toString('latin1'))) entries.push({ name, inode });
    at += length;
  }
  return entries;
}

function damagedExtents(): TsengineError {
  return corrupt('the list of its blocks is damaged');
}

function corrupt(why: string): TsengineError {
  return new TsengineError('Corrupt', why);
}
