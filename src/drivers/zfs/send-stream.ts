/**
 * Which objects of a ZFS file system changed between two snapshots, read from the stream that `zfs send -i` makes of them. Its
 * records are a format on disk that stays (`sys/zfs_ioctl.h`: `dmu_replay_record`), in the order of bytes of the machine.
 *
 * The kernel sends a block of 32 objects' metadata whole when one of them changed. So a record of an object alone says little; that
 * its contents were sent says that they changed, and a time in its metadata that is later than the first snapshot says so of the
 * metadata: every change of a file or directory sets its change time. Where nothing of that is found in a whole block, one of its
 * objects changed while the clock was wrong, and all count as changed. And where contents were written without such a time, the clock
 * was wrong, and what changed beside that in metadata alone is not told apart: see `wasClockBehind`.
 */

const RECORD = 312;
/** `DRR_…` */
const BEGIN = 0;
const OBJECT = 1;
const FREE_OBJECTS = 2;
const WRITE = 3;
const FREE = 4;
const END = 5;
const SPILL = 7;
const WRITE_EMBEDDED = 8;
/** `DMU_BACKUP_MAGIC` */
const MAGIC = 0x2_f5ba_cbacn;
/** `DMU_OT_PLAIN_FILE_CONTENTS`, `DMU_OT_DIRECTORY_CONTENTS` */
const FILE_TYPES: ReadonlySet<number> = new Set([19, 20]);
const CONTENTS: ReadonlySet<number> = new Set([WRITE, FREE, SPILL, WRITE_EMBEDDED]);
/** Those that only a write makes: holes may be sent however old they are. */
const WRITTEN: ReadonlySet<number> = new Set([WRITE, SPILL, WRITE_EMBEDDED]);
/**
 * Metadata begins with `SA_MAGIC` and 4 bytes more; the first attributes of a file are in the order in which `zfs_mknode` gives them: mode,
 * size, generation, owner, group, and the directory that it is in. Other orders may be found: see `parentOf`.
 */
const SA_MAGIC = 0x2f505a;
const PARENT_AT = 48;
/** Objects whose metadata is in one block. */
const IN_A_BLOCK = 32;
/** Half of `-1` as 64 bits. */
const ALL = 0xffff_ffff;

/** A number of 64 bits. Numbers of objects have 48, and lengths fewer than 53. */
function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** What of the record at `at` follows it, in bytes. */
function payloadOf(type: number, bytes: Buffer, at: number): number {
  switch (type) {
    case OBJECT: {
      const raw = bytes.readUInt32LE(at + 36);
      return raw !== 0 ? raw : roundUp(bytes.readUInt32LE(at + 28));
    }
    case WRITE:
      return u64(bytes, at + (bytes.readUInt8(at + 50) !== 0 ? 96 : 32));
    case SPILL: {
      const compressed = u64(bytes, at + 40);
      return compressed !== 0 ? compressed : u64(bytes, at + 16);
    }
    case WRITE_EMBEDDED:
      return roundUp(bytes.readUInt32LE(at + 52));
    default:
      return bytes.readUInt32LE(at + 4);
  }
}

/** Whether a record says that nothing comes after an object's end, as one does of every object that is sent. */
function isTail(type: number, bytes: Buffer, at: number): boolean {
  return type === FREE && bytes.readUInt32LE(at + 24) === ALL && bytes.readUInt32LE(at + 28) === ALL;
}

function roundUp(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** Reads a stream as it comes. A change of a few files sends tens of thousands of records, so nothing is copied that need not be. */
export class SendStream {
  /** Files and directories of which the stream has metadata. */
  readonly #seen = new Set<number>();
  readonly #changed = new Set<number>();
  /** Those of which contents were sent. */
  readonly #written = new Set<number>();
  readonly #parents = new Map<number, number>();
  /** Those that have a time of a change. */
  readonly #timed = new Set<number>();
  #isBehind = false;
  /** Blocks of which is known why they were sent. */
  readonly #explained = new Set<number>();
  readonly #since: number;
  /** What of a record, or of an object's metadata, is there. */
  #held: Buffer[] = [];
  #have = 0;
  #need = RECORD;
  /** Bytes of contents that are passed over. */
  #skip = 0;
  /** The object whose metadata comes. */
  #object: number | undefined;
  #begun = false;
  #ended = false;

  /** `since`: the second since 1970 from which on a time in the metadata is a change. */
  constructor(since: number) {
    this.#since = since;
  }

  /** Takes the next bytes. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, chunk.length - at);
        this.#skip -= passed;
        at += passed;
        continue;
      }
      const from = at;
      const missing = this.#need - this.#have;
      at = Math.min(chunk.length, at + missing);
      if (this.#have === 0 && at - from === missing) {
        this.#take(chunk, from);
        continue;
      }
      this.#held.push(Buffer.from(chunk.subarray(from, at)));
      this.#have += at - from;
      if (this.#have === this.#need) this.#takeHeld();
    }
  }

  /** The files and directories that may have changed, and those that extended attributes are in; freed ones left out. */
  changed(): ReadonlySet<number> {
    for (const object of this.#seen) {
      if (!this.#explained.has(blockOf(object))) this.#changed.add(object);
    }
    return this.#changed;
  }

  /** Whether contents or extended attributes of an object were written, or freed, since the first snapshot. */
  hasContents(object: number): boolean {
    return this.#written.has(object);
  }

  /** Whether something was written at a time that is before the first snapshot's: changes of metadata may be missing then. */
  wasClockBehind(): boolean {
    return this.#isBehind;
  }

  /** The directory that an object is in, most likely: whoever relies on it looks there. */
  parentOf(object: number): number | undefined {
    return this.#parents.get(object);
  }

  /** Whether it is such a stream, from its beginning to its end. */
  isWhole(): boolean {
    return this.#begun && this.#ended && this.#have === 0 && this.#skip === 0;
  }

  #takeHeld(): void {
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#have = 0;
    this.#take(bytes, 0);
  }

  #take(bytes: Buffer, at: number): void {
    if (this.#object === undefined) this.#record(bytes, at);
    else this.#metadata(this.#object, bytes, at, at + this.#need);
  }

  #record(bytes: Buffer, at: number): void {
    const type = bytes.readUInt32LE(at);
    const payload = payloadOf(type, bytes, at);
    if (type === BEGIN) this.#begun = bytes.readBigUInt64LE(at + 8) === MAGIC;
    // Nothing comes after the end.
    this.#ended = type === END && !this.#ended;
    const object = u64(bytes, at + 8);
    if (type === OBJECT && payload > 0 && FILE_TYPES.has(bytes.readUInt32LE(at + 16))) {
      this.#object = object;
      this.#need = payload;
      return;
    }
    this.#skip = payload;
    if (CONTENTS.has(type) && !isTail(type, bytes, at)) this.#contents(object, WRITTEN.has(type));
    if (type === FREE_OBJECTS) this.#explainFreed(object, u64(bytes, at + 16));
  }

  /** An object's metadata comes before its contents. Of what ZFS keeps for itself there is no path. */
  #contents(object: number, isWrite: boolean): void {
    if (this.#seen.has(object)) {
      if (isWrite && !this.#timed.has(object)) this.#isBehind = true;
      this.#changed.add(object);
      this.#written.add(object);
    }
    this.#explained.add(blockOf(object));
  }

  /** The last of a run of freed objects may be the end of all numbers: the blocks at both ends are all that matter. */
  #explainFreed(first: number, count: number): void {
    if (count === 0) return;
    this.#explained.add(blockOf(first)).add(blockOf(first + count - 1));
  }

  #metadata(object: number, bytes: Buffer, from: number, end: number): void {
    this.#object = undefined;
    this.#need = RECORD;
    this.#seen.add(object);
    if (end - from >= PARENT_AT + 8 && bytes.readUInt32LE(from) === SA_MAGIC)
      this.#parents.set(object, u64(bytes, from + PARENT_AT));
    for (let at = from; at + 8 <= end; at += 8) {
      // Seconds since 1970, to the year 2106: a larger number is none, but part of an access list, say.
      if (bytes.readUInt32LE(at) < this.#since || bytes.readUInt32LE(at + 4) !== 0) continue;
      this.#changed.add(object);
      this.#timed.add(object);
      this.#explained.add(blockOf(object));
      return;
    }
  }
}

/** Which block of metadata an object is in. */
function blockOf(object: number): number {
  return Math.floor(object / IN_A_BLOCK);
}
