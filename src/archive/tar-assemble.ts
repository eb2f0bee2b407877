import { closeSync, createReadStream, readSync } from 'node:fs';
import { hasErrno, TsengineError } from '../errors.ts';
import { type BytePath, printablePath } from '../linux/path.ts';
import { decompress } from './compression.ts';
import { Crc64 } from './crc64.ts';
import { printableMember } from './fail.ts';
import type { FileLine, SegmentLine } from './tar-split-entry.ts';
import { parseLine } from './tar-split-parse.ts';

/** Bytes of each chunk that comes out. */
const CHUNK = 1024 * 1024;

/** Bytes of the longest line that is read: segments of 64 MiB, far past what any writer makes of real archives. */
const LINE_BYTES = 96 * 1024 * 1024;

/**
 * Opens the file that an archive calls `name` in the layer's directory, for reading, and returns its descriptor, which
 * is closed by the caller. It must not leave the layer through a symbolic link, nor open anything but regular files.
 */
export type OpenLayerFile = (name: Buffer) => number;

/**
 * Rebuilds the archive that a `tar-split.json.gz` (a path, or its bytes) was written for, byte for byte, reading file
 * contents through `openFile`. Throws `Corrupt` when the tar-split data is damaged, and when a file is missing, was
 * changed, or has another size than when the layer came in; the message names it. The bytes before it were given out
 * by then, so a consumer must not take them for a whole archive.
 */
export async function* assembleTar(
  tarSplit: AsyncIterable<Buffer> | BytePath,
  openFile: OpenLayerFile,
): AsyncGenerator<Buffer> {
  const isPath = typeof tarSplit === 'string' || Buffer.isBuffer(tarSplit);
  const where = isPath ? printablePath(tarSplit) : 'tar-split.json.gz';
  const source = isPath ? createReadStream(tarSplit, { highWaterMark: 256 * 1024 }) : tarSplit;
  const out = new Output();
  for await (const lines of readTarSplit(source, where)) {
    for (const line of lines) {
      if (line.type === 'segment') yield* out.put(line.bytes);
      else if (hasContent(line)) yield* copyFile(line, openFile, out);
    }
  }
  yield* out.flush();
}

/** The lines of tar-split data, in batches. Throws as `parseLine` and `decompress` do; `where` names the data in messages. */
export async function* readTarSplit(
  source: AsyncIterable<Buffer>,
  where: string,
): AsyncGenerator<(FileLine | SegmentLine)[]> {
  let pieces: Buffer[] = [];
  let length = 0;
  let position = 0;
  for await (const chunk of decompress(source)) {
    const lines: (FileLine | SegmentLine)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      const rest = chunk.subarray(start, end);
      const line = pieces.length === 0 ? rest : Buffer.concat([...pieces, rest]);
      if (line.length > 0) lines.push(parseLine(line.toString('utf8'), position++, where));
      pieces = [];
      length = 0;
      start = end + 1;
    }
    pieces.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > LINE_BYTES)
      throw new TsengineError('Corrupt', `corrupt tar-split data: ${where}: a line without end`);
    yield lines;
  }
  if (length > 0) yield [parseLine(Buffer.concat(pieces).toString('utf8'), position, where)];
}

/**
 * Whether content belongs here. Docker copies the size field of links and directories, and then gives the sum of no
 * bytes, which is zero.
 */
function hasContent(line: FileLine): boolean {
  return line.size > 0 && line.sum?.every((byte) => byte === 0) === false;
}

function* copyFile(line: FileLine, openFile: OpenLayerFile, out: Output): Generator<Buffer> {
  const fd = open(line, openFile);
  try {
    const crc = new Crc64();
    for (let left = line.size; left > 0; ) {
      const room = out.room();
      const count = readSync(fd, room, 0, Math.min(room.length, left), null);
      if (count === 0) throw changed(line, `has ${line.size - left} bytes, not ${line.size}`);
      crc.update(room.subarray(0, count));
      left -= count;
      yield* out.took(count);
    }
    if (readSync(fd, Buffer.alloc(1), 0, 1, null) > 0)
      throw changed(line, `has more than ${line.size} bytes`);
    if (line.sum?.equals(crc.digest()) !== true) throw changed(line, 'has other content');
  } finally {
    closeSync(fd);
  }
}

function open(line: FileLine, openFile: OpenLayerFile): number {
  try {
    return openFile(line.name);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR')) throw error;
    throw changed(line, 'is gone', error);
  }
}

function changed(line: FileLine, how: string, cause?: unknown): TsengineError {
  const name = printableMember(line.name);
  const message = `file integrity checksum failed for "${name}": the file was changed in the layer's directory: it ${how}`;
  return new TsengineError('Corrupt', message, { cause });
}

/** Gathers bytes into chunks of equal size. Chunks given out are never written to again. */
class Output {
  #chunk = Buffer.allocUnsafeSlow(CHUNK);
  #length = 0;

  /** The free part of the current chunk, never empty. */
  room(): Buffer {
    return this.#chunk.subarray(this.#length);
  }

  /** `count` bytes were put into `room`. */
  *took(count: number): Generator<Buffer> {
    this.#length += count;
    if (this.#length === CHUNK) yield* this.flush();
  }

  *put(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; ) {
      const count = bytes.copy(this.#chunk, this.#length, at);
      at += count;
      yield* this.took(count);
    }
  }

  *flush(): Generator<Buffer> {
    if (this.#length === 0) return;
    const full = this.#chunk.subarray(0, this.#length);
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK);
    this.#length = 0;
    yield full;
  }
}
