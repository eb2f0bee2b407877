/** Layers made for tests, and targets to unpack them into, with a tree outside that must stay as it is. */
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TarEntry } from '../../src/archive/types.ts';
import { type UnpackOptions, type UnpackResult, unpackLayer } from '../../src/archive/unpack.ts';
import { contentSize, encodeHeader, endOfArchive, padding } from '../../src/archive/writer.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { describeTree } from '../helpers/trees.ts';
import { entryOf } from './tar-tools.ts';

/** A member: what differs from an empty file of root's with mode 644. Texts are latin1. */
export type MemberSpec = Partial<Omit<TarEntry, 'name' | 'linkName'>> & {
  readonly name: string | Buffer;
  readonly linkName?: string | Buffer;
  /** Content; `size` follows from it when it is not given. */
  readonly data?: string | Buffer;
};

function bytes(text: string | Buffer): Buffer {
  return typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
}

/** The bytes of one member. */
export function member(spec: MemberSpec): Buffer {
  const { name, linkName = '', data = '', ...rest } = spec;
  const content = bytes(data);
  const entry = entryOf({
    size: content.length,
    ...rest,
    name: bytes(name),
    linkName: bytes(linkName),
  });
  return Buffer.concat([encodeHeader(entry), content, padding(contentSize(entry))]);
}

/** An archive of members. */
export function layer(...specs: readonly MemberSpec[]): Buffer {
  return Buffer.concat([...specs.map(member), endOfArchive]);
}

/** Shorthands for common members. */
export const file = (name: string | Buffer, data = `content of ${String(name)}`): MemberSpec => ({
  name,
  data,
});
export const dir = (name: string, mode = 0o755): MemberSpec => ({ name, type: 'directory', mode });
export const symlink = (name: string, linkName: string): MemberSpec => ({
  name,
  type: 'symlink',
  linkName,
  mode: 0o777,
});
export const hardlink = (name: string, linkName: string): MemberSpec => ({
  name,
  type: 'hardlink',
  linkName,
});

/** Chunks of at most 64 KiB, as a stream. */
export async function* chunked(tar: Buffer, size = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < tar.length; at += size) yield tar.subarray(at, at + size);
}

/** A directory to unpack into, and one beside it that must never change. */
export interface Target extends Disposable {
  readonly path: string;
  readonly outside: string;
  /** Fails when anything outside the target changed. */
  assertOutsideUntouched(): void;
  unpack(tar: Buffer, options?: Partial<UnpackOptions>): Promise<UnpackResult>;
}

/** Makes a target below `parent`. */
export function makeTarget(parent = tmpdir()): Target {
  const folder = mkdtempSync(join(parent, 'tsengine-layer-'));
  const path = join(folder, 'target');
  const outside = join(folder, 'outside');
  mkdirSync(path);
  mkdirSync(join(outside, 'directory'), { recursive: true });
  writeFileSync(join(outside, 'file'), 'outside');
  writeFileSync(join(outside, 'directory', 'inner'), 'inner');
  chmodSync(join(outside, 'file'), 0o640);
  const all = () => describeTree(outside, { directoryTimes: true });
  const before = all();
  const siblings = readdirSync(folder);
  return {
    path,
    outside,
    assertOutsideUntouched() {
      assert.deepEqual(all(), before);
      assert.deepEqual(readdirSync(folder), siblings);
      assert.equal(lstatSync(join(outside, 'file')).nlink, 1);
    },
    unpack: (tar, options = {}) => unpackLayer(chunked(tar), path, { whiteouts: 'overlay', ...options }),
    [Symbol.dispose]: () => removeTree(folder),
  };
}

/** More than a layer may have to be unpacked without a worker. */
export const FILLER_BYTES = 5 * 1024 * 1024;

/** A member large enough that the layer goes through the worker. */
export const FILLER: MemberSpec = { name: 'filler', data: Buffer.alloc(FILLER_BYTES, 'filler ') };
