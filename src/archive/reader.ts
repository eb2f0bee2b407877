import { type Fail, memberError } from './fail.ts';
import { BLOCK, EMPTY, type Header, HeaderReader, isZeroBlock, paddingOf, wholeSecond } from './header.ts';
import { longestComponent, longText, withoutSlashes } from './member-name.ts';
import { type PaxRecords, parsePax } from './pax.ts';
import {
  oldSparseRealSize,
  paxSparseForm,
  paxSparseMap,
  readOldSparseBlock,
  SparseTextMap,
  sparseRuns,
} from './sparse.ts';
import { type EntryType, LIMITS, type SparseRun, type TarEntry, type TarSink } from './types.ts';

/** What the next bytes of the archive are. */
const AT_HEADER = 0;
/** The payload and padding of a pax header or a GNU long name. */
const AT_META = 1;
/** An extension block of an old-format sparse map. */
const AT_SPARSE_BLOCK = 2;
/** A block of a pax 1.0 sparse map. */
const AT_SPARSE_TEXT = 3;
const AT_DATA = 4;
const AT_PADDING = 5;
/** After one zero block: the second is due. */
const AT_SECOND_ZERO = 6;
/** Past the end: everything is padding or garbage. */
const AT_END = 7;

const TYPES: Record<string, EntryType> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** chown(2) takes 32 bits, and the highest value means "leave it". */
const MAX_ID = 0xffff_fffe;

/**
 * Parses a tar archive that is pushed in as chunks of any size and hands its members to a sink, synchronously and
 * without copying content. Takes v7, ustar, pax and GNU archives, sparse files of every form included.
 *
 * It reads a layer as Go's archive/tar does, because that is what Docker, containerd and podman read layers with and
 * one diff ID must mean one file tree: pax global headers are checked and reported, but not applied; links,
 * directories and devices have no content whatever their size field says; two zero blocks end the archive and what
 * follows is passed to `raw` only; an archive may also just end between two members.
 *
 * Memory does not grow with the archive: at most one pax header, one long name, one long link and one sparse map are
 * held, each within `LIMITS`. Errors are `Corrupt` (broken bytes) or `InvalidParameter` (past a limit, or a kind of
 * member that layers do not have), one line with the member's name and the byte where its header starts. After an
 * error the reader must not be used again.
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #raw: boolean;
  readonly #headers = new HeaderReader();
  #state = AT_HEADER;
  /** Bytes of the archive before the current chunk. */
  #base = 0;
  /** Bytes of content or padding still to come. */
  #remaining = 0;
  /** A block or payload that arrives in pieces: `#held` bytes of it are there. */
  readonly #block = Buffer.alloc(BLOCK);
  #pieces: Buffer = this.#block;
  #held = 0;
  /** Bytes of the payload of the pax or GNU member being read, without padding. */
  #metaSize = 0;
  #metaFlag = 0;
  #pax: PaxRecords | undefined;
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;
  /** The member whose header was read, while its sparse map is. */
  #header: Header | undefined;
  #size = 0;
  #map: number[] = [];
  #textMap: SparseTextMap | undefined;
  /** For messages: the current member, and where its header starts. */
  #name: Buffer | undefined;
  #start = 0;

  /** With `rawBytes`, the sink's `raw` gets everything that is not content. */
  constructor(sink: TarSink, options: { readonly rawBytes?: boolean } = {}) {
    this.#sink = sink;
    this.#raw = options.rawBytes === true && sink.raw !== undefined;
  }

  /** Takes the next bytes. The sink may get parts of `chunk` itself, so it must stay as it is until this returns. */
  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case AT_DATA:
          at += this.#data(chunk, at);
          break;
        case AT_PADDING:
          at += this.#padding(chunk, at);
          break;
        case AT_END:
          this.#passRaw(at === 0 ? chunk : chunk.subarray(at));
          at = chunk.length;
          break;
        case AT_META:
          at += this.#collect(chunk, at, this.#metaSize + paddingOf(this.#metaSize));
          break;
        default:
          at += this.#collect(chunk, at, BLOCK);
      }
    }
    this.#base += chunk.length;
  }

  /** The archive is over. Throws `Corrupt` when it stops inside a member. */
  end(): void {
    const between = this.#state === AT_END || this.#state === AT_SECOND_ZERO || this.#state === AT_PADDING;
    const clean = this.#state === AT_HEADER && this.#pax === undefined && this.#longName === undefined;
    if (this.#held === 0 && (between || (clean && this.#longLink === undefined))) return;
    if (this.#state === AT_HEADER && this.#held > 0) {
      this.#start = this.#base - this.#held;
      this.#name = undefined;
    }
    this.#fail(`unexpected EOF after ${this.#base} bytes`);
  }

  readonly #fail: Fail = (reason, code = 'Corrupt') => {
    throw memberError(code, this.#name, this.#start, reason);
  };

  #passRaw(bytes: Buffer): void {
    if (this.#raw) this.#sink.raw?.(bytes);
  }

  #data(chunk: Buffer, at: number): number {
    const length = Math.min(this.#remaining, chunk.length - at);
    this.#remaining -= length;
    this.#sink.data(length === chunk.length ? chunk : chunk.subarray(at, at + length));
    if (this.#remaining === 0) this.#endEntry();
    return length;
  }

  #endEntry(): void {
    this.#remaining = paddingOf(this.#size);
    this.#state = this.#remaining === 0 ? AT_HEADER : AT_PADDING;
    this.#sink.endEntry();
  }

  #padding(chunk: Buffer, at: number): number {
    const length = Math.min(this.#remaining, chunk.length - at);
    this.#remaining -= length;
    if (this.#raw) this.#passRaw(chunk.subarray(at, at + length));
    if (this.#remaining === 0) this.#state = AT_HEADER;
    return length;
  }

  /** Waits until `need` bytes are there, then reads them as one; returns how many of the chunk's were taken. */
  #collect(chunk: Buffer, at: number, need: number): number {
    const take = Math.min(need - this.#held, chunk.length - at);
    if (take === need) {
      this.#whole(chunk.subarray(at, at + need), this.#base + at);
      return take;
    }
    if (this.#held === 0) this.#pieces = need <= BLOCK ? this.#block : Buffer.allocUnsafe(need);
    chunk.copy(this.#pieces, this.#held, at, at + take);
    this.#held += take;
    if (this.#held < need) return take;
    this.#held = 0;
    const whole = this.#pieces.length === need ? this.#pieces : this.#pieces.subarray(0, need);
    this.#pieces = this.#block;
    this.#whole(whole, this.#base + at + take - need);
    return take;
  }

  #whole(bytes: Buffer, offset: number): void {
    if (this.#state === AT_META) {
      // tar-split records a global header between its payload and its padding.
      this.#passRaw(bytes.subarray(0, this.#metaSize));
      this.#readMeta(bytes.subarray(0, this.#metaSize));
      if (bytes.length > this.#metaSize) this.#passRaw(bytes.subarray(this.#metaSize));
      return;
    }
    this.#passRaw(bytes);
    switch (this.#state) {
      case AT_HEADER:
        this.#readHeader(bytes, offset);
        break;
      case AT_SECOND_ZERO:
        if (!isZeroBlock(bytes)) this.#fail('a single zero block is followed by more');
        this.#state = AT_END;
        this.#sink.endOfArchive?.();
        break;
      case AT_SPARSE_BLOCK:
        if (!readOldSparseBlock(bytes, true, this.#map, this.#fail)) this.#beginSparse();
        break;
      case AT_SPARSE_TEXT:
        this.#readTextMap(bytes);
        break;
    }
  }

  #readHeader(block: Buffer, offset: number): void {
    this.#start = offset;
    this.#name = undefined;
    if (block[0] === 0 && isZeroBlock(block)) {
      this.#state = AT_SECOND_ZERO;
      return;
    }
    this.#name = HeaderReader.nameOf(block);
    const header = this.#headers.read(block, this.#fail);
    this.#name = header.name;
    switch (header.flag) {
      case 0x78: // x
      case 0x67: // g
      case 0x4c: // L
      case 0x4b: // K
        this.#beginMeta(header);
        break;
      default:
        this.#readMember(header, block);
    }
  }

  #beginMeta(header: Header): void {
    const limit = LIMITS.paxHeader;
    if (header.size < 0) this.#fail('the size is negative');
    if (header.size > limit) {
      this.#fail(
        `an extended header of ${header.size} bytes is past the limit of ${limit}`,
        'InvalidParameter',
      );
    }
    this.#metaSize = header.size;
    this.#metaFlag = header.flag;
    this.#state = AT_META;
    if (header.size === 0) this.#readMeta(EMPTY);
  }

  #readMeta(payload: Buffer): void {
    this.#state = AT_HEADER;
    switch (this.#metaFlag) {
      case 0x78:
        this.#pax = parsePax(payload, this.#fail);
        break;
      case 0x67:
        this.#sink.globalHeader?.(parsePax(payload, this.#fail).path ?? this.#name ?? EMPTY);
        break;
      case 0x4c:
        this.#longName = longText(payload);
        break;
      default:
        this.#longLink = longText(payload);
    }
  }

  /** A header that stands for a member: finds its content and, if it is sparse, its map. */
  #readMember(header: Header, block: Buffer): void {
    const pax = this.#pax;
    const form = pax?.sparse === undefined ? 'none' : paxSparseForm(pax.sparse);
    this.#name =
      (form === 'none' ? undefined : pax?.sparse?.name) ?? this.#longName ?? pax?.path ?? header.name;
    this.#header = header;
    const type = this.#type(header);
    this.#size = type === 'file' ? (pax?.size ?? header.size) : 0;
    if (this.#size < 0) this.#fail(`the size is negative: ${this.#size}`);
    if (header.flag === 0x53) {
      this.#readOldSparse(header, block);
    } else if (form === 'none') {
      this.#begin(type, this.#size, undefined);
    } else if (type !== 'file') {
      this.#fail(`a ${type} cannot be sparse`);
    } else if (form === 'records') {
      this.#map = paxSparseMap(pax?.sparse ?? {}, this.#fail);
      this.#beginSparse();
    } else {
      this.#textMap = new SparseTextMap();
      this.#state = AT_SPARSE_TEXT;
      if (this.#size < BLOCK) this.#fail('the sparse map is missing');
    }
  }

  #type(header: Header): EntryType {
    const flag = String.fromCharCode(header.flag);
    const type = TYPES[flag];
    if (type === undefined) {
      return this.#fail(`members of type ${JSON.stringify(flag)} are not supported`, 'InvalidParameter');
    }
    // Before there was a type for directories, a slash at the end of the name made one.
    return header.flag === 0 && this.#name?.at(-1) === 0x2f ? 'directory' : type;
  }

  #readOldSparse(header: Header, block: Buffer): void {
    if (!header.gnu) this.#fail('a sparse file in an unknown format');
    this.#map = [];
    const realSize = oldSparseRealSize(block, this.#fail);
    this.#pax ??= {};
    this.#pax.sparse = { realSize };
    const more = readOldSparseBlock(block, false, this.#map, this.#fail);
    if (more) this.#state = AT_SPARSE_BLOCK;
    else this.#beginSparse();
  }

  #readTextMap(block: Buffer): void {
    this.#size -= BLOCK;
    if (this.#textMap?.block(block, this.#fail) === true) {
      this.#map = this.#textMap.map;
      this.#textMap = undefined;
      this.#beginSparse();
    } else if (this.#size < BLOCK) {
      this.#fail('the sparse map does not end inside the member');
    }
  }

  #beginSparse(): void {
    const realSize = this.#pax?.sparse?.realSize ?? this.#size;
    if (realSize < 0) this.#fail('the real size of the sparse file is wrong');
    const runs = sparseRuns(this.#map, realSize, this.#size, this.#fail);
    this.#map = [];
    this.#begin('file', realSize, runs);
  }

  /** Hands the member to the sink. `#size` is what the archive stores of it, `size` what it will be on disk. */
  #begin(type: EntryType, size: number, sparse: SparseRun[] | undefined): void {
    const header = this.#header;
    if (header === undefined) return;
    const entry = this.#entry(header, type, size, sparse);
    this.#pax = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#header = undefined;
    this.#remaining = this.#size;
    this.#state = AT_DATA;
    this.#sink.entry(entry);
    if (this.#remaining === 0) this.#endEntry();
  }

  #entry(header: Header, type: EntryType, size: number, sparse: SparseRun[] | undefined): TarEntry {
    const pax = this.#pax;
    const rawName = this.#name ?? header.name;
    const name = withoutSlashes(rawName);
    const isLink = type === 'hardlink' || type === 'symlink';
    const linkName = isLink ? (this.#longLink ?? pax?.linkPath ?? header.linkName) : EMPTY;
    this.#checkPath(name, 'name', true);
    this.#checkPath(linkName, 'link name', type === 'hardlink');
    const atime = pax?.atime ?? (header.atime === undefined ? undefined : wholeSecond(header.atime));
    const ctime = pax?.ctime ?? (header.ctime === undefined ? undefined : wholeSecond(header.ctime));
    const device = type === 'char' || type === 'block';
    return {
      type,
      name,
      ...(name === rawName ? undefined : { rawName }),
      linkName,
      mode: header.mode & 0o7777,
      uid: this.#id('uid', pax?.uid ?? header.uid),
      gid: this.#id('gid', pax?.gid ?? header.gid),
      uname: pax?.uname ?? header.uname,
      gname: pax?.gname ?? header.gname,
      size,
      mtime: pax?.mtime ?? wholeSecond(header.mtime),
      ...(atime === undefined ? undefined : { atime }),
      ...(ctime === undefined ? undefined : { ctime }),
      devMajor: device ? (pax?.devMajor ?? header.devMajor) : 0,
      devMinor: device ? (pax?.devMinor ?? header.devMinor) : 0,
      xattrs: pax?.xattrs ?? NO_XATTRS,
      ...(sparse === undefined ? undefined : { sparse }),
    };
  }

  #checkPath(path: Buffer, what: string, components: boolean): void {
    if (path.length <= LIMITS.nameComponent) return;
    if (path.length > LIMITS.path) {
      this.#fail(
        `the ${what} has ${path.length} bytes, more than ${LIMITS.path} (file name too long)`,
        'InvalidParameter',
      );
    }
    if (components && longestComponent(path) > LIMITS.nameComponent) {
      const limit = LIMITS.nameComponent;
      this.#fail(
        `a part of the ${what} has more than ${limit} bytes (file name too long)`,
        'InvalidParameter',
      );
    }
  }

  #id(what: string, id: number): number {
    return id >= 0 && id <= MAX_ID
      ? id
      : this.#fail(`the ${what} ${id} is none that Linux has`, 'InvalidParameter');
  }
}
