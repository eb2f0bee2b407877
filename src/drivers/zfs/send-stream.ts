/**
 * Which objects of a ZFS file system changed between two snapshots, read from the stream that `zfs send -i` makes of them. Its
 * records are a format on disk that stays (`sys/zfs_ioctl.h`: `dmu_replay_record`), in the order of bytes of the machine.
 *
 * The kernel sends a block of 32 objects' metadata whole when one of them changed. So a record of an object alone says little; that
 * its contents were sent says that they changed, and a time in its metadata that is later than the first snapshot says so of the
 * metadata: every change of a file or directory sets its change time. Where nothing of that is found in a whole block, one of its
 * objects changed while the clock was wrong, and all count as changed.
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
/**
 * Metadata begins with `SA_MAGIC` and 4 bytes more; the first attributes of a file are in the order in which `zfs_mknode` gives them: mode,
 * size, generation, owner, group, and the directory that it is in. Other orders may be found: see `parentOf`.
 */
const SA_MAGIC = 0x2f505a;
const PARENT_AT = 48;
/** Objects whose metadata is in one block. */
const IN_A_BLOCK = 32n;

/** What of a record follows it, in bytes. */
function payloadOf(type: number, record: Buffer): number {
  switch (type) {
    case OBJECT: {
      const raw = record.readUInt32LE(36);
      return raw !== 0 ? raw : roundUp(record.readUInt32LE(28));
    }
    case WRITE:
      return Number(record.readBigUInt64LE(record.readUInt8(50) !== 0 ? 96 : 32));
    case SPILL: {
      const compressed = record.readBigUInt64LE(40);
      return Number(compressed !== 0n ? compressed : record.readBigUInt64LE(16));
    }
    case WRITE_EMBEDDED:
      return roundUp(record.readUInt32LE(52));
    default:
      return record.readUInt32LE(4);
  }
}

/** Whether a record says that nothing comes after an object's end, as one does of every object that is sent. */
function isTail(type: number, record: Buffer): boolean {
  return type === FREE && record.readBigUInt64LE(24) === 0xffff_ffff_ffff_ffffn;
}

function roundUp(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** Reads a stream as it comes. */
export class SendStream {
  /** Files and directories of which the stream has metadata. */
  readonly #seen = new Set<bigint>();
  readonly #changed = new Set<bigint>();
  readonly #parents = new Map<bigint, bigint>();
  /** Blocks of which is known why they were sent. */
  readonly #explained = new Set<bigint>();
  readonly #since: bigint;
  /** What of a record, or of an object's metadata, is there. */
  #held: Buffer[] = [];
  #have = 0;
  #need = RECORD;
  /** Bytes of contents that are passed over. */
  #skip = 0;
  /** The object whose metadata comes. */
  #object: bigint | undefined;
  #begun = false;
  #ended = false;

  /** `since`: the second since 1970 from which on a time in the metadata is a change. */
  constructor(since: bigint) {
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
      const part = chunk.subarray(at, at + this.#need - this.#have);
      at += part.length;
      if (part.length < this.#need) {
        this.#held.push(Buffer.from(part));
        this.#have += part.length;
        if (this.#have < this.#need) continue;
      }
      this.#take(this.#have === 0 ? part : Buffer.concat(this.#held));
    }
  }

  /** The files and directories that may have changed, and those that extended attributes are in; freed ones left out. */
  changed(): ReadonlySet<bigint> {
    for (const object of this.#seen) {
      if (!this.#explained.has(object / IN_A_BLOCK)) this.#changed.add(object);
    }
    return this.#changed;
  }

  /** The directory that an object is in, most likely: whoever relies on it looks there. */
  parentOf(object: bigint): bigint | undefined {
    return this.#parents.get(object);
  }

  /** Whether it is such a stream, from its beginning to its end. */
  isWhole(): boolean {
    return this.#begun && this.#ended && this.#have === 0 && this.#skip === 0;
  }

  #take(bytes: Buffer): void {
    this.#held = [];
    this.#have = 0;
    if (this.#object === undefined) this.#record(bytes);
    else this.#metadata(this.#object, bytes);
  }

  #record(record: Buffer): void {
    const type = record.readUInt32LE(0);
    const payload = payloadOf(type, record);
    const object = record.readBigUInt64LE(8);
    if (type === BEGIN) this.#begun = object === MAGIC;
    // Nothing comes after the end.
    this.#ended = type === END && !this.#ended;
    if (type === OBJECT && payload > 0 && FILE_TYPES.has(record.readUInt32LE(16))) {
      this.#object = object;
      this.#need = payload;
      return;
    }
    this.#skip = payload;
    if (CONTENTS.has(type) && !isTail(type, record)) this.#contents(object);
    if (type === FREE_OBJECTS) this.#explainFreed(object, record.readBigUInt64LE(16));
  }

  /** An object's metadata comes before its contents. Of what ZFS keeps for itself there is no path. */
  #contents(object: bigint): void {
    if (this.#seen.has(object)) this.#changed.add(object);
    this.#explained.add(object / IN_A_BLOCK);
  }

  /** The last of a run of freed objects may be the end of all numbers: the blocks at both ends are all that matter. */
  #explainFreed(first: bigint, count: bigint): void {
    if (count === 0n) return;
    this.#explained.add(first / IN_A_BLOCK).add((first + count - 1n) / IN_A_BLOCK);
  }

  #metadata(object: bigint, bonus: Buffer): void {
    this.#object = undefined;
    this.#need = RECORD;
    this.#seen.add(object);
    if (bonus.length >= PARENT_AT + 8 && bonus.readUInt32LE(0) === SA_MAGIC)
      this.#parents.set(object, bonus.readBigUInt64LE(PARENT_AT));
    for (let at = 0; at + 8 <= bonus.length; at += 8) {
      // Seconds since 1970, to the year 2106: a larger number is none, but part of an access list, say.
      if (bonus.readUInt32LE(at + 4) !== 0 || bonus.readUInt32LE(at) < this.#since) continue;
      this.#change(object);
      return;
    }
  }

  #change(object: bigint): void {
    this.#changed.add(object);
    this.#explained.add(object / IN_A_BLOCK);
  }
}
