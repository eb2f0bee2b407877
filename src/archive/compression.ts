import type { Duplex } from 'node:stream';
import { errorMessage, TsengineError } from '../errors.ts';
import { ZstdFrames } from './zstd-frames.ts';

/** How a stream is compressed; `none` is anything that carries no known signature. */
export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Bytes that `detectCompression` wants to see, when the stream has as many. */
export const DETECT_BYTES = 512;

/** Bytes of each chunk that decompression gives: large, because every chunk costs a trip to another thread. */
const CHUNK = 1024 * 1024;

/** The programs for the kinds that Node cannot read, by Debian's names. */
const PROGRAMS = {
  bzip2: { program: 'bzip2', package: 'bzip2' },
  xz: { program: 'xz', package: 'xz-utils' },
} as const;

/**
 * Tells how a stream is compressed from its first bytes (`DETECT_BYTES` of them, or all there are). Signatures: RFC
 * 1952, RFC 8878, the bzip2 and xz format descriptions. A tar archive whose first name looks like one stays a tar.
 */
export function detectCompression(head: Buffer): Compression {
  if (head.toString('latin1', 257, 262) === 'ustar') return 'none';
  const signature = head.toString('hex', 0, 6);
  if (signature.startsWith('1f8b08')) return 'gzip';
  // A stream of frames may start with a skippable one (0x184D2A50 to 0x184D2A5F).
  if (signature.startsWith('28b52ffd') || /^5.2a4d18/.test(signature)) return 'zstd';
  if (/^425a68/.test(signature)) return 'bzip2';
  return signature === 'fd377a585a00' ? 'xz' : 'none';
}

/**
 * The stream decompressed, by its content; a stream that is not compressed comes through as it is. All gzip members
 * and zstd frames are read; bzip2 and xz go through the programs of those names. Errors: `Corrupt` for truncated or
 * damaged data, `Unavailable` where such a program is missing; an error of the source is passed on as it is. The source is closed when this stream ends, fails or is left early.
 */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  let handedOn = false;
  try {
    const head = await readHead(iterator);
    const kind = detectCompression(Buffer.concat(head));
    const engine = kind === 'none' ? undefined : await decompressor(kind);
    const all = chain(head, iterator);
    handedOn = true;
    yield* engine === undefined ? all : transform(all, engine, kind);
  } finally {
    if (!handedOn) await iterator.return?.();
  }
}

/** The stream compressed. The same bytes in give the same bytes out. The source is treated as `decompress` treats it. */
export async function* compress(
  kind: 'gzip' | 'zstd',
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const zlib = await import('node:zlib');
  const engine =
    kind === 'gzip' ? zlib.createGzip({ chunkSize: CHUNK }) : zlib.createZstdCompress({ chunkSize: CHUNK });
  yield* transform(source, { engine, split: (chunk) => [chunk], finish: () => {} });
}

/** Chunks until there are enough bytes to tell the kind. */
async function readHead(iterator: AsyncIterator<Buffer>): Promise<Buffer[]> {
  const head: Buffer[] = [];
  for (let length = 0; length < DETECT_BYTES; ) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    head.push(value);
    length += value.length;
  }
  return head;
}

/** What was read for detection, then the rest. */
async function* chain(head: readonly Buffer[], iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  } finally {
    await iterator.return?.();
  }
}

interface Engine {
  readonly engine: Duplex;
  /** The pieces of a chunk as the engine must get them. */
  readonly split: (chunk: Buffer) => Iterable<Buffer>;
  /** Called at the end of the source; throws when the source may not end there. */
  readonly finish: () => void;
}

async function decompressor(kind: 'gzip' | 'zstd' | 'bzip2' | 'xz'): Promise<Engine> {
  if (kind === 'bzip2' || kind === 'xz') {
    const { ProgramFilter } = await import('./program-filter.ts');
    return { engine: new ProgramFilter(PROGRAMS[kind]), split: (chunk) => [chunk], finish: () => {} };
  }
  const zlib = await import('node:zlib');
  if (kind === 'gzip') {
    return { engine: zlib.createGunzip({ chunkSize: CHUNK }), split: (chunk) => [chunk], finish: () => {} };
  }
  const frames = new ZstdFrames();
  const finish = () => {
    if (!frames.atBoundary) throw new Error('unexpected end of file');
  };
  return {
    engine: zlib.createZstdDecompress({ chunkSize: CHUNK }),
    split: (chunk) => frames.split(chunk),
    finish,
  };
}

/** Runs a source through an engine. With `corrupt`, errors that are not the source's mean damaged data of that kind. */
async function* transform(
  source: AsyncIterable<Buffer>,
  { engine, split, finish }: Engine,
  corrupt?: string,
): AsyncGenerator<Buffer> {
  const state: PumpState = { waiting: false, sourceError: undefined };
  const pumped = pump(source, engine, split, finish, state);
  try {
    for await (const chunk of engine) yield chunk;
  } catch (error) {
    if (state.sourceError !== undefined) throw state.sourceError.error;
    if (corrupt === undefined || error instanceof TsengineError) throw error;
    throw new TsengineError('Corrupt', `corrupt ${corrupt} data: ${errorMessage(error)}`, { cause: error });
  } finally {
    engine.destroy();
    // A source that has nothing to give would keep us here; it is closed when it gives again or ends.
    if (!state.waiting) await pumped;
  }
}

interface PumpState {
  /** Whether the source was asked and has not answered. */
  waiting: boolean;
  sourceError: { readonly error: unknown } | undefined;
}

/** Feeds the engine until the source ends, fails, or the engine is destroyed; then closes the source. Never rejects. */
async function pump(
  source: AsyncIterable<Buffer>,
  engine: Duplex,
  split: Engine['split'],
  finish: Engine['finish'],
  state: PumpState,
): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const chunk = await ask(iterator, state);
      if (engine.destroyed) break;
      if (chunk === undefined) {
        finish();
        engine.end();
        return;
      }
      for (const piece of split(chunk)) if (!engine.write(piece)) await drained(engine);
      if (engine.destroyed) break;
    }
  } catch (error) {
    engine.destroy(error instanceof Error ? error : new Error(errorMessage(error)));
  }
  // Its own failure to close has nobody left to be told.
  await iterator.return?.().catch(() => {});
}

async function ask(iterator: AsyncIterator<Buffer>, state: PumpState): Promise<Buffer | undefined> {
  state.waiting = true;
  try {
    const { value, done } = await iterator.next();
    return done === true ? undefined : value;
  } catch (error) {
    state.sourceError = { error };
    throw error;
  } finally {
    state.waiting = false;
  }
}

/** Resolves when the engine takes more, or never will. */
function drained(engine: Duplex): Promise<void> {
  if (engine.destroyed) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    engine.off('drain', done);
    engine.off('close', done);
    resolve();
  };
  engine.on('drain', done);
  engine.on('close', done);
  return promise;
}
