/** What tests of tar-split share. */
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { TarReader } from '../../src/archive/reader.ts';
import { TarSplitWriter } from '../../src/archive/tar-split.ts';
import type { TarEntry } from '../../src/archive/types.ts';
import { contentSize, encodeHeader, padding } from '../../src/archive/writer.ts';
import { entryOf } from './tar-tools.ts';

/** The tar-split bytes of an archive that is read in chunks of some size. */
export function split(archive: Buffer, chunk = 32_768): Buffer {
  const out: Buffer[] = [];
  const writer = new TarSplitWriter((gzip) => out.push(gzip));
  const reader = new TarReader(writer, { rawBytes: true });
  for (let at = 0; at < archive.length; at += chunk) reader.write(archive.subarray(at, at + chunk));
  reader.end();
  writer.finish();
  return Buffer.concat(out);
}

/** One member with its content and padding. */
export function member(entry: Partial<TarEntry>, content: Buffer | string = ''): Buffer {
  const data = Buffer.from(content);
  const sized = entryOf({ size: data.length, ...entry });
  assert.equal(contentSize(sized), data.length);
  return Buffer.concat([encodeHeader(sized), data, padding(data.length)]);
}

/** A file of that name (latin1). */
export const named = (name: string, content = '') => member({ name: Buffer.from(name, 'latin1') }, content);

/** Opens files below a directory, as an unpacked layer. */
export const opener = (root: string) => (name: Buffer) =>
  openSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'r');
