/** Searching btrfs's trees. Source: `linux/btrfs.h`, `linux/btrfs_tree.h`. */
import { declare } from './libc.ts';

const searchCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_tree_search');

/** `_IOWR(0x94, 17, struct btrfs_ioctl_search_args_v2)`: the key of 104 bytes, the size of the buffer, the buffer. */
const TREE_SEARCH_V2 = 0xc070_9411;
const KEY_SIZE = 104;
const BUFFER_AT = KEY_SIZE + 8;
/** For many items, and for those of one inode: a leaf is at most 64 KiB. */
const LARGE = 1 << 20;
const SMALL = 1 << 17;
/** `struct btrfs_ioctl_search_header`: transid, objectid, offset u64, type, len u32. */
const HEADER_SIZE = 32;

const MAX64 = 2n ** 64n - 1n;
const ROOT_TREE = 1n;
const FIRST_FREE_OBJECT = 256n;
const LAST_FREE_OBJECT = MAX64 - 256n;
const INODE_ITEM = 1;
const INODE_REF = 12;
const INODE_EXTREF = 13;
const ROOT_REF = 156;

/** An item's key. */
interface Key {
  readonly object: bigint;
  readonly type: number;
  readonly offset: bigint;
}

interface Item extends Key {
  readonly data: Buffer;
}

/** Gives the items of a tree from one key to another, those of nodes that changed in `since` or later. */
function* search(args: Buffer, fd: number, tree: bigint, from: Key, to: Key, since = 0n): Generator<Item> {
  let next: Key | undefined = from;
  while (next !== undefined) {
    args.fill(0, 0, BUFFER_AT);
    const numbers = [tree, next.object, to.object, next.offset, to.offset, since, MAX64];
    for (const [index, value] of numbers.entries()) args.writeBigUInt64LE(value, index * 8);
    args.writeUInt32LE(next.type, 56);
    args.writeUInt32LE(to.type, 60);
    args.writeUInt32LE(0xffff_ffff, 64);
    args.writeBigUInt64LE(BigInt(args.length - BUFFER_AT), KEY_SIZE);
    searchCall(undefined, fd, TREE_SEARCH_V2, args);
    const found = args.readUInt32LE(64);
    let last: Key | undefined;
    for (let count = 0, at = BUFFER_AT; count < found; count++) {
      const length = args.readUInt32LE(at + 28);
      const key = {
        object: args.readBigUInt64LE(at + 8),
        offset: args.readBigUInt64LE(at + 16),
        type: args.readUInt32LE(at + 24),
      };
      yield { ...key, data: args.subarray(at + HEADER_SIZE, at + HEADER_SIZE + length) };
      last = key;
      at += HEADER_SIZE + length;
    }
    next = last === undefined ? undefined : after(last);
  }
}

function argumentsOf(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(BUFFER_AT + bytes);
}

function after({ object, type, offset }: Key): Key | undefined {
  if (offset < MAX64) return { object, type, offset: offset + 1n };
  if (type < 255) return { object, type: type + 1, offset: 0n };
  return object < LAST_FREE_OBJECT ? { object: object + 1n, type: 0, offset: 0n } : undefined;
}

/** The numbers of the subvolumes that have their place inside of another one. */
export function subvolumesIn(fd: number, subvolume: bigint): bigint[] {
  const from = { object: subvolume, type: ROOT_REF, offset: 0n };
  const to = { object: subvolume, type: ROOT_REF, offset: MAX64 };
  return [...search(argumentsOf(SMALL), fd, ROOT_TREE, from, to)].map(({ offset }) => offset);
}

/** A name of an inode. */
interface Reference {
  /** The inode of the directory that the name is in. */
  readonly parent: bigint;
  readonly name: Buffer;
}

/** An inode as a subvolume's tree has it. */
export interface TreeInode {
  readonly inode: bigint;
  /** All that is on record of it but the transaction of its last change and the time of its last access. */
  readonly record: Buffer;
}

/** Reads the tree of a subvolume: what has been written, so that the filesystem must have been synced. */
export class SubvolumeTree {
  readonly #fd: number;
  readonly #id: bigint;
  readonly #args = argumentsOf(SMALL);
  readonly #directories = new Map<bigint, Buffer | undefined>([[FIRST_FREE_OBJECT, Buffer.alloc(0)]]);

  /** `fd` is any open file of the filesystem. */
  constructor(fd: number, id: bigint) {
    this.#fd = fd;
    this.#id = id;
  }

  /** The inodes that changed after the transaction `madeIn`. The cost follows their number. */
  changedAfter(madeIn: bigint): TreeInode[] {
    const found: TreeInode[] = [];
    const from = { object: FIRST_FREE_OBJECT, type: 0, offset: 0n };
    const to = { object: LAST_FREE_OBJECT, type: 255, offset: MAX64 };
    for (const { object, type, data } of search(
      argumentsOf(LARGE),
      this.#fd,
      this.#id,
      from,
      to,
      madeIn + 1n,
    )) {
      if (type === INODE_ITEM && data.readBigUInt64LE(TRANSACTION_AT) > madeIn)
        found.push({ inode: object, record: recordOf(data) });
    }
    return found;
  }

  /** Whether an inode of another tree is on record here as the same. */
  has({ inode, record }: TreeInode): boolean {
    const key = { object: inode, type: INODE_ITEM, offset: 0n };
    for (const { data } of search(this.#args, this.#fd, this.#id, key, key))
      return recordOf(data).equals(record);
    return false;
  }

  /** All paths of an inode, with a slash before each name; the root's is empty. None when it has no name any more. */
  pathsOf(inode: bigint): Buffer[] {
    if (inode === FIRST_FREE_OBJECT) return [Buffer.alloc(0)];
    return this.#references(inode).flatMap(({ parent, name }) => {
      const folder = this.#directory(parent);
      return folder === undefined ? [] : [Buffer.concat([folder, Buffer.from('/'), name])];
    });
  }

  #directory(inode: bigint): Buffer | undefined {
    if (!this.#directories.has(inode)) this.#directories.set(inode, this.pathsOf(inode)[0]);
    return this.#directories.get(inode);
  }

  #references(inode: bigint): Reference[] {
    const from = { object: inode, type: INODE_REF, offset: 0n };
    const to = { object: inode, type: INODE_EXTREF, offset: MAX64 };
    const found: Reference[] = [];
    // Each item is read before the next one is asked for: they share a buffer.
    for (const item of search(this.#args, this.#fd, this.#id, from, to)) found.push(...referencesOf(item));
    return found;
  }
}

/** Where `struct btrfs_inode_item` has the transaction of the last change (u64), and the time of the last access (12 bytes). */
const TRANSACTION_AT = 8;
const ACCESS_AT = 112;

function recordOf(item: Buffer): Buffer {
  const record = Buffer.from(item);
  record.fill(0, TRANSACTION_AT, TRANSACTION_AT + 8);
  return record.fill(0, ACCESS_AT, ACCESS_AT + 12);
}

/**
 * `struct btrfs_inode_ref`: index u64, length u16, name, one after the other, the directory being the key's offset.
 * `struct btrfs_inode_extref` has the directory, u64, before these.
 */
function referencesOf({ type, offset, data }: Item): Reference[] {
  const found: Reference[] = [];
  const head = type === INODE_REF ? 0 : 8;
  for (let at = 0; at + head + 10 <= data.length; ) {
    const length = data.readUInt16LE(at + head + 8);
    const begin = at + head + 10;
    const parent = type === INODE_REF ? offset : data.readBigUInt64LE(at);
    // A copy: the buffer is used again.
    found.push({ parent, name: Buffer.from(data.subarray(begin, begin + length)) });
    at = begin + length;
  }
  return found;
}
