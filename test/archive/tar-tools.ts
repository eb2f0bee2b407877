import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TarReader } from '../../src/archive/reader.ts';
import type { TarEntry, TarSink } from '../../src/archive/types.ts';

/** A member with its stored content. */
export interface Member {
  readonly entry: TarEntry;
  readonly data: Buffer;
}

/** What a reader gave out for an archive. */
export interface Parsed {
  readonly members: Member[];
  /** Everything given to `raw`, and everything given to `raw` and `data` in the order given. */
  readonly raw: Buffer;
  readonly all: Buffer;
  readonly globals: string[];
  readonly ended: boolean;
}

/** Parses an archive given in pieces; `cut` says how long the next piece is. */
export function parseTar(archive: Buffer, cut: () => number = () => archive.length): Parsed {
  const members: Member[] = [];
  const raw: Buffer[] = [];
  const all: Buffer[] = [];
  const globals: string[] = [];
  let current: { entry: TarEntry; data: Buffer[] } | undefined;
  let ended = false;
  const sink: TarSink = {
    entry(entry) {
      if (current !== undefined) throw new Error('entry inside an entry');
      current = { entry, data: [] };
    },
    data(chunk) {
      if (chunk.length === 0) throw new Error('empty data');
      const copy = Buffer.from(chunk);
      current?.data.push(copy);
      all.push(copy);
    },
    endEntry() {
      if (current === undefined) throw new Error('endEntry without entry');
      members.push({ entry: current.entry, data: Buffer.concat(current.data) });
      current = undefined;
    },
    raw(bytes) {
      const copy = Buffer.from(bytes);
      raw.push(copy);
      all.push(copy);
    },
    globalHeader(name) {
      globals.push(name.toString('latin1'));
    },
    endOfArchive() {
      ended = true;
    },
  };
  const reader = new TarReader(sink, { rawBytes: true });
  for (let at = 0; at < archive.length; ) {
    const length = Math.max(1, cut());
    reader.write(archive.subarray(at, at + length));
    at += length;
  }
  reader.end();
  return { members, raw: Buffer.concat(raw), all: Buffer.concat(all), globals, ended };
}

/** A seeded generator of numbers in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Ways to cut an archive: whole, byte by byte where that is quick enough, and three random ones. */
export function cuts(length: number): (() => number)[] {
  const ways = [() => length];
  if (length <= 1_000_000) ways.push(() => 1);
  for (const [seed, most] of [
    [1, 700],
    [2, 5000],
    [3, 100_000],
  ] as const) {
    const random = seeded(seed);
    ways.push(() => Math.ceil(random() * most));
  }
  return ways;
}

const DEFAULTS: TarEntry = {
  type: 'file',
  name: Buffer.from('file'),
  linkName: Buffer.alloc(0),
  mode: 0o644,
  uid: 0,
  gid: 0,
  uname: Buffer.alloc(0),
  gname: Buffer.alloc(0),
  size: 0,
  mtime: { sec: 0, nsec: 0 },
  devMajor: 0,
  devMinor: 0,
  xattrs: new Map(),
};

/** An entry with plain values where none are given. */
export function entryOf(values: Partial<TarEntry>): TarEntry {
  return { ...DEFAULTS, ...values };
}

/** Puts bytes into a header block and corrects its checksum. */
export function patch(
  block: Buffer,
  ...edits: readonly (readonly [at: number, bytes: Buffer | string])[]
): Buffer {
  const copy = Buffer.from(block);
  for (const [at, bytes] of edits)
    (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes).copy(copy, at);
  copy.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of copy.subarray(0, 512)) sum += byte;
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}

/** Runs a program and returns its output; fails the test when the program does. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; input?: Buffer } = {},
): Buffer {
  return execFileSync(command, args, { ...options, maxBuffer: 1 << 30, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** A new empty directory, removed by `using`. */
export function tempDir(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'tsengine-archive-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Chunks as a stream. */
export async function* streamOf(...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

/** All of a stream. */
export async function gather(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
