import { gzipSync } from 'node:zlib';
import { TsengineError } from '../errors.ts';
import { Crc64 } from './crc64.ts';
import { printableMember } from './fail.ts';
import { EMPTY } from './header.ts';
import { NameSet } from './name-set.ts';
import { fileJson, segmentJson } from './tar-split-entry.ts';
import type { TarEntry, TarSink } from './types.ts';
import { nameKind, WHITEOUT_PREFIX } from './whiteouts.ts';

/** Segments are cut at this size, so that neither a sparse file nor garbage at the end takes unbounded memory. */
const SEGMENT_BYTES = 1024 * 1024;
/** Bytes of JSON that are compressed at once. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Writes Docker's `tar-split.json.gz` while an archive is read: a `TarSink` for a `TarReader` with `rawBytes`. Call
 * `finish` after the reader's `end`. Gzip bytes come out through `emit` in pieces of some ten to hundred KiB, each a
 * gzip member of its own (RFC 1952 allows any number, and Go's reader takes them). Memory is bounded by the batch, but
 * for 16 bytes a path to find duplicates.
 *
 * The JSON is what Docker 20.10 writes for the same archive, byte for byte, except where Docker's cannot be turned back
 * into the archive: the stored bytes of a sparse member become segments and its own line says size 0 (Docker's says
 * the full size and gives the archive back with the holes filled), the size field of links and directories
 * is not copied (Docker then wants content that is not there), and long padding after the archive's end is cut
 * every MiB (Docker cuts it wherever a read ended). Content of what is no file of the layer, whiteouts and AUFS's bookkeeping,
 * becomes segments as well: nothing has it afterwards, and Docker cannot give such a layer back.
 *
 * A path that comes twice throws `InvalidParameter` in Docker's words, as the first content could not be given back;
 * when neither has content the second is kept as raw bytes alone.
 */
export class TarSplitWriter implements TarSink {
  readonly #emit: (gzip: Buffer) => void;
  readonly #level: number;
  readonly #names = new NameSet();
  readonly #crc = new Crc64();
  readonly #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #batched = 0;
  #segment = Buffer.allocUnsafe(4096);
  #segmentLength = 0;
  #position = 0;
  #entry: TarEntry | undefined;
  /** Whether the content of the member that comes is kept here. */
  #isRaw = false;

  /** `level` is zlib's; 1 by default: what is compressed is mostly zeros, and higher ones gain little. */
  constructor(emit: (gzip: Buffer) => void, options: { readonly level?: number } = {}) {
    this.#emit = emit;
    this.#level = options.level ?? 1;
  }

  raw(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += SEGMENT_BYTES) {
      this.#append(bytes.length <= SEGMENT_BYTES ? bytes : bytes.subarray(at, at + SEGMENT_BYTES));
    }
  }

  entry(entry: TarEntry): void {
    this.#flushSegment();
    this.#entry = entry;
    this.#isRaw = entry.sparse !== undefined || (entry.size > 0 && isMark(entry.name));
    if (this.#isRaw) this.#file(entry.rawName ?? entry.name, 0);
    else this.#crc.reset();
  }

  data(chunk: Buffer): void {
    if (this.#isRaw) this.raw(chunk);
    else this.#crc.update(chunk);
  }

  endEntry(): void {
    const entry = this.#entry;
    if (entry !== undefined && !this.#isRaw) this.#file(entry.rawName ?? entry.name, entry.size);
  }

  globalHeader(name: Buffer): void {
    this.#flushSegment();
    this.#file(name, 0);
  }

  endOfArchive(): void {
    this.#flushSegment();
  }

  /** Writes what is left. The last line is an empty segment, as in Docker's files. */
  finish(): void {
    this.#flushSegment();
    this.#line(segmentJson(EMPTY, this.#position));
    this.#flushBatch();
  }

  #file(name: Buffer, size: number): void {
    const wasEmpty = this.#names.add(name, size === 0);
    if (wasEmpty === undefined) {
      this.#line(
        fileJson(
          { type: 'file', name, size, sum: size === 0 ? undefined : this.#crc.digest() },
          this.#position,
        ),
      );
    } else if (!wasEmpty || size > 0) {
      throw new TsengineError(
        'InvalidParameter',
        `duplicates of file paths not supported: "${printableMember(name)}"`,
      );
    }
  }

  #append(bytes: Buffer): void {
    if (this.#segmentLength > 0 && this.#segmentLength + bytes.length > SEGMENT_BYTES) this.#flushSegment();
    const needed = this.#segmentLength + bytes.length;
    if (needed > this.#segment.length) {
      const larger = Buffer.allocUnsafe(Math.min(SEGMENT_BYTES, Math.max(needed, 2 * this.#segment.length)));
      this.#segment.copy(larger, 0, 0, this.#segmentLength);
      this.#segment = larger;
    }
    bytes.copy(this.#segment, this.#segmentLength);
    this.#segmentLength = needed;
  }

  #flushSegment(): void {
    if (this.#segmentLength === 0) return;
    this.#line(segmentJson(this.#segment.subarray(0, this.#segmentLength), this.#position));
    this.#segmentLength = 0;
  }

  #line(json: string): void {
    this.#position++;
    // A character is at most three bytes of UTF-8.
    if (this.#batched + 3 * json.length + 1 > BATCH_BYTES) this.#flushBatch();
    if (3 * json.length + 1 > BATCH_BYTES) {
      this.#compress(Buffer.from(`${json}\n`, 'utf8'));
      return;
    }
    this.#batched += this.#batch.write(json, this.#batched, 'utf8');
    this.#batch[this.#batched++] = 0x0a;
  }

  #flushBatch(): void {
    if (this.#batched > 0) this.#compress(this.#batch.subarray(0, this.#batched));
    this.#batched = 0;
  }

  #compress(json: Buffer): void {
    this.#emit(gzipSync(json, { level: this.#level, chunkSize: 128 * 1024 }));
  }
}

/** Whether a member is no file of the layer. */
function isMark(name: Buffer): boolean {
  return name.includes(WHITEOUT_PREFIX) && nameKind(name.toString('latin1')).kind !== 'plain';
}
