/** Searching btrfs's trees. Source: `linux/btrfs.h`, `linux/btrfs_tree.h`. */
import { declare } from './libc.ts';
import { S_IFDIR, S_IFMT, S_IFREG } from './stat.ts';

const searchCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'btrfs_tree_search');

/** `_IOWR(0x94, 17, struct btrfs_ioctl_search_args_v2)`: the key of 104 bytes, the size of the buffer, the buffer. */
const TREE_SEARCH_V2 = 0xc070_9411;
const KEY_SIZE = 104;
const BUFFER_AT = KEY_SIZE + 8;
/** No item is larger than the node that it is in: `BTRFS_MAX_METADATA_BLOCKSIZE`. */
const LARGEST_NODE = 1 << 16;
/** Room for many items, which stay in a processor's own cache from the kernel's writing to our reading; and for those of one inode. */
const LARGE = 1 << 18;
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

const ROOT = Buffer.alloc(0);
const SLASH = Buffer.from('/');

/** An item's key. */
interface Key {
  readonly object: bigint;
  readonly type: number;
  readonly offset: bigint;
}

/** The arguments of a search, and what it finds: views of one buffer, since Buffer's own methods make large numbers of small ones. */
class Search {
  readonly #args: Buffer;
  readonly #view: DataView;
  readonly #key: BigUint64Array;
  #at = 0;

  /** `room` is for what one call finds. */
  constructor(room: number) {
    this.#args = Buffer.allocUnsafeSlow(BUFFER_AT + room);
    this.#view = new DataView(this.#args.buffer);
    this.#key = new BigUint64Array(this.#args.buffer, 0, BUFFER_AT / 8);
  }

  /**
   * Visits the items of a tree from one key to another, of nodes that changed in `since` or later, and of those the types up to
   * that of `to`. The accessors below are of the one that is visited.
   */
  each(fd: number, tree: bigint, from: Key, to: Key, visit: (type: number) => void, since = 0n): void {
    const args = this.#args;
    let next: Key | undefined = from;
    while (next !== undefined) {
      const found = this.#call(fd, tree, next, to, since);
      let at = BUFFER_AT;
      let last = at;
      // Hundreds of thousands may be there where few matter, and single bytes are what code that was not compiled yet reads fastest.
      for (let count = 0; count < found; count++) {
        const type = args[at + 24] ?? 0;
        last = at;
        if (type <= to.type) {
          this.#at = at;
          visit(type);
        }
        // No item is larger than the node that it is in.
        at += HEADER_SIZE + ((args[at + 28] ?? 0) | ((args[at + 29] ?? 0) << 8));
      }
      this.#at = last;
      // Where another item would have found room there is none.
      const isLast = found === 0 || args.length - at >= HEADER_SIZE + LARGEST_NODE;
      next = isLast ? undefined : after(this);
    }
  }

  /** Finds items from the key `from` on. Gives how many. */
  #call(fd: number, tree: bigint, from: Key, to: Key, since: bigint): number {
    const key = this.#key.fill(0n);
    key[0] = tree;
    key[1] = from.object;
    key[2] = to.object;
    key[3] = from.offset;
    key[4] = to.offset;
    key[5] = since;
    key[6] = MAX64;
    key[KEY_SIZE / 8] = BigInt(this.#args.length - BUFFER_AT);
    this.#view.setUint32(56, from.type, true);
    this.#view.setUint32(60, to.type, true);
    this.#view.setUint32(64, 0xffff_ffff, true);
    searchCall(undefined, fd, TREE_SEARCH_V2, this.#args);
    return this.#view.getUint32(64, true);
  }

  get type(): number {
    return this.#view.getUint32(this.#at + 24, true);
  }

  get object(): bigint {
    return this.#view.getBigUint64(this.#at + 8, true);
  }

  get offset(): bigint {
    return this.#view.getBigUint64(this.#at + 16, true);
  }

  /** The item itself; another one's as soon as there is another. */
  get data(): Buffer {
    const from = this.#at + HEADER_SIZE;
    return this.#args.subarray(from, from + this.#view.getUint32(this.#at + 28, true));
  }

  /** A number in the item itself. */
  number(at: number): bigint {
    return this.#view.getBigUint64(this.#at + HEADER_SIZE + at, true);
  }

  /** The same number as one that counts exactly as far as 2^53, which no transaction comes to. */
  count(at: number): number {
    return this.small(at) + this.small(at + 4) * 2 ** 32;
  }

  /** One of 32 bits. */
  small(at: number): number {
    return this.#view.getUint32(this.#at + HEADER_SIZE + at, true);
  }
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
  const ids: bigint[] = [];
  const search = new Search(SMALL);
  search.each(fd, ROOT_TREE, from, to, () => ids.push(search.offset));
  return ids;
}

/** The transaction in which the root of a subvolume was made; 0 when there is no such subvolume. */
export function rootGeneration(fd: number, subvolume: bigint): bigint {
  const key = { object: FIRST_FREE_OBJECT, type: INODE_ITEM, offset: 0n };
  let generation = 0n;
  const search = new Search(SMALL);
  search.each(fd, subvolume, key, key, () => {
    generation = search.number(0);
  });
  return generation;
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
  /** How many names it has. */
  readonly links: number;
  /** Its names, as far as they were found beside it. */
  readonly names: readonly Reference[];
  /** What is on record of a file that is not new and has one name. */
  readonly file: Buffer | undefined;
  /** Where it may have been read, and nothing else: all that is on record of it but the transaction of its last change and the time of its last access. */
  readonly read: Buffer | undefined;
}

interface Named {
  readonly inode: bigint;
  readonly names: Reference[];
}

/** Reads the tree of a subvolume: what has been written, so that the filesystem must have been synced. */
export class SubvolumeTree {
  readonly #fd: number;
  readonly #id: bigint;
  readonly #search = new Search(SMALL);
  /** Names of directories that a search came by. */
  readonly #seen = new Map<bigint, readonly Reference[]>();
  readonly #directories = new Map<bigint, Buffer | undefined>([[FIRST_FREE_OBJECT, ROOT]]);
  /** What is on record of those that changed and may only have been read. */
  readonly #read = new Map<bigint, Buffer>();

  /** `fd` is any open file of the filesystem. */
  constructor(fd: number, id: bigint) {
    this.#fd = fd;
    this.#id = id;
  }

  /**
   * The inodes that changed after the transaction `madeIn`, in the order of their numbers, with the names that are on record in
   * the same nodes. The cost follows the number of nodes that changed.
   */
  changedAfter(madeIn: bigint): TreeInode[] {
    const found: TreeInode[] = [];
    let last: Named | undefined;
    const search = new Search(LARGE);
    const since = Number(madeIn);
    const visit = (type: number): void => {
      if (type === INODE_ITEM) last = this.#inode(search, since, found);
      else if (last !== undefined && isReference(type) && search.object === last.inode)
        last.names.push(...referencesOf(search));
    };
    const from = { object: FIRST_FREE_OBJECT, type: 0, offset: 0n };
    const to = { object: LAST_FREE_OBJECT, type: INODE_EXTREF, offset: MAX64 };
    search.each(this.#fd, this.#id, from, to, visit, madeIn + 1n);
    return found;
  }

  /** Adds the inode to those that changed if it did. Gives it when its names are wanted: those of directories are, for their paths. */
  #inode(search: Search, madeIn: number, found: TreeInode[]): Named | undefined {
    const changed = search.count(TRANSACTION_AT) > madeIn;
    const isDirectory = (search.small(MODE_AT) & S_IFMT) === S_IFDIR;
    if (!changed && !isDirectory) return undefined;
    const one = { inode: search.object, names: [] };
    if (isDirectory) this.#seen.set(one.inode, one.names);
    if (changed) {
      const isNew = search.count(0) > madeIn;
      const mayBeRead = !isNew && search.number(ACCESS_AT) >= search.number(CHANGE_AT);
      const read = mayBeRead ? recordOf(search.data) : undefined;
      if (read !== undefined) this.#read.set(one.inode, read);
      const links = search.small(LINKS_AT);
      const isFile = (search.small(MODE_AT) & S_IFMT) === S_IFREG;
      const file = isFile && !isNew && links === 1 ? Buffer.from(search.data) : undefined;
      found.push({ ...one, links, file, read });
    }
    return one;
  }

  /**
   * Whether an inode of another tree was only read since it was the same here. Not asked for where that is not likely, nor where
   * `changedAfter` has come by it: whoever walks over both trees reads every directory of both.
   */
  wasRead({ inode, read }: TreeInode): boolean {
    if (read === undefined) return false;
    const here = this.#read.get(inode);
    if (here !== undefined) return here.equals(read);
    const key = { object: inode, type: INODE_ITEM, offset: 0n };
    let same = false;
    this.#search.each(this.#fd, this.#id, key, key, () => {
      same = recordOf(this.#search.data).equals(read);
    });
    return same;
  }

  /** Whether a file of another tree is here as well with one name and other permissions, another owner, size or time of its last writing. */
  wasWritten({ inode, file }: TreeInode): boolean {
    if (file === undefined) return false;
    const key = { object: inode, type: INODE_ITEM, offset: 0n };
    let written = false;
    this.#search.each(this.#fd, this.#id, key, key, () => {
      const here = this.#search.data;
      const isSame = ([at, size]: readonly [number, number]): boolean =>
        here.compare(file, at, at + size, at, at + size) === 0;
      written = isSame([LINKS_AT, 4]) && !TOLD_AT.every(isSame);
    });
    return written;
  }

  /** All paths of an inode of this tree that changed: what is known of it need not be searched for. */
  pathsOfChanged({ inode, links, names }: TreeInode): Buffer[] {
    if (inode === FIRST_FREE_OBJECT) return [ROOT];
    return this.#paths(names.length === links ? names : this.#references(inode));
  }

  /** All paths of an inode, with a slash before each name; the root's is empty. None when it has no name any more. */
  pathsOf(inode: bigint): Buffer[] {
    return inode === FIRST_FREE_OBJECT ? [ROOT] : this.#paths(this.#references(inode));
  }

  #paths(names: readonly Reference[]): Buffer[] {
    return names.flatMap(({ parent, name }) => {
      const folder = this.#directory(parent);
      return folder === undefined ? [] : [Buffer.concat([folder, SLASH, name])];
    });
  }

  #directory(inode: bigint): Buffer | undefined {
    if (!this.#directories.has(inode)) {
      const names = this.#seen.get(inode) ?? [];
      const paths = names.length > 0 ? this.#paths(names) : this.pathsOf(inode);
      this.#directories.set(inode, paths[0]);
    }
    return this.#directories.get(inode);
  }

  #references(inode: bigint): Reference[] {
    const from = { object: inode, type: INODE_REF, offset: 0n };
    const to = { object: inode, type: INODE_EXTREF, offset: MAX64 };
    const found: Reference[] = [];
    this.#search.each(this.#fd, this.#id, from, to, (type) => {
      if (isReference(type)) found.push(...referencesOf(this.#search));
    });
    return found;
  }
}

/**
 * Where `struct btrfs_inode_item` has the transaction of its last change (u64; that of its making is at 0), the number of names
 * (u32), the mode (u32), and the times of the last access and of the last change of anything (seconds u64, nanoseconds u32).
 */
const TRANSACTION_AT = 8;
const LINKS_AT = 40;
const MODE_AT = 52;
/** And what of a file's own tells that it changed, with their lengths: size, owner, group and mode, time of the last writing. */
const TOLD_AT = [
  [16, 8],
  [44, 12],
  [136, 12],
] as const;
const ACCESS_AT = 112;
const CHANGE_AT = 124;

function isReference(type: number): boolean {
  return type === INODE_REF || type === INODE_EXTREF;
}

function recordOf(item: Buffer): Buffer {
  const record = Buffer.from(item);
  record.fill(0, TRANSACTION_AT, TRANSACTION_AT + 8);
  return record.fill(0, ACCESS_AT, ACCESS_AT + 12);
}

/**
 * `struct btrfs_inode_ref`: index u64, length u16, name, one after the other, the directory being the key's offset.
 * `struct btrfs_inode_extref` has the directory, u64, before these.
 */
function referencesOf({ type, offset, data }: Search): Reference[] {
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
