/**
 * The images that are measured, as lists of what is in their layers: always the same bytes for the same list, which no filesystem
 * compresses or finds twice.
 */

import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import type { EntryType } from '../../../src/archive/types.ts';
import { encodeHeader, endOfArchive, padding } from '../../../src/archive/writer.ts';
import { noise } from '../agent/single-file.ts';

/** One thing in a layer. Parents come before what is in them. */
export type Entry =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly bytes: number; readonly text?: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

/** What a layer adds. */
export type Layer = readonly Entry[];

/** An image: its layers from the lowest. */
export interface ImagePlan {
  /** What it is called, without a tag. */
  readonly name: string;
  readonly layers: readonly Layer[];
}

/** A directory entry. */
export function directory(path: string): Entry {
  return { kind: 'directory', path };
}

/** A file of so many bytes. */
export function file(path: string, bytes: number): Entry {
  return { kind: 'file', path, bytes };
}

/** Bytes of all files of a layer, a block for each entry included. */
export function layerBytes(layer: Layer): number {
  return layer.reduce((sum, entry) => sum + 4096 + (entry.kind === 'file' ? roundUp(entry.bytes) : 0), 0);
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 4096) * 4096;
}

const BLOCK = 1024 * 1024;

/** The bytes of a file in pieces; a piece is good until the next is asked for. */
function* contentOf(entry: Extract<Entry, { kind: 'file' }>): Generator<Buffer> {
  if (entry.text !== undefined) {
    yield Buffer.from(entry.text);
    return;
  }
  const block = noiseBlock();
  // Every block of 4 KiB of every file is another one: its file and its place are at its beginning.
  const salt = createHash('sha256').update(entry.path).digest();
  for (let at = 0; at < entry.bytes; at += BLOCK) {
    for (let page = 0; page < BLOCK; page += 4096) {
      salt.copy(block, page, 0, 16);
      block.writeDoubleLE(at + page, page + 8);
    }
    yield block.subarray(0, Math.min(BLOCK, entry.bytes - at));
  }
}

let made: Buffer | undefined;

function noiseBlock(): Buffer {
  made ??= noise(BLOCK);
  return made;
}

/** A layer as a tar; a piece is good until the next is asked for. */
export function* layerTar(layer: Layer): Generator<Buffer> {
  for (const entry of layer) {
    yield header(entry);
    if (entry.kind !== 'file') continue;
    yield* contentOf(entry);
    yield padding(entry.bytes);
  }
  yield endOfArchive;
}

function header(entry: Entry): Buffer {
  const type: EntryType =
    entry.kind === 'file' ? 'file' : entry.kind === 'directory' ? 'directory' : 'symlink';
  return encodeHeader({
    type,
    name: Buffer.from(entry.path),
    linkName: Buffer.from(entry.kind === 'link' ? entry.target : ''),
    mode: entry.kind === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    uname: Buffer.from('root'),
    gname: Buffer.from('root'),
    size: entry.kind === 'file' ? entry.bytes : 0,
    mtime: { sec: 1_700_000_000, nsec: 0 },
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
  });
}

/** Writes what `load` reads. `environment` is that of its containers. Twice through the contents: their hash comes before them. */
export function writeArchive(image: ImagePlan, environment: readonly string[], path: string): void {
  const diffIds = image.layers.map((layer) => {
    const hash = createHash('sha256');
    let size = 0;
    for (const piece of layerTar(layer)) {
      hash.update(piece);
      size += piece.length;
    }
    return { diffId: `sha256:${hash.digest('hex')}`, size };
  });
  const created = '2024-05-06T07:08:09Z';
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    config: { Env: environment },
    created,
    history: image.layers.map((_, index) => ({ created, created_by: `layer ${index}` })),
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: diffIds.map(({ diffId }) => diffId) },
  });
  const names = image.layers.map((_, index) => `${index}/layer.tar`);
  const manifest = JSON.stringify([
    { Config: 'config.json', RepoTags: [`${image.name}:latest`], Layers: names },
  ]);
  const output = openSync(path, 'wx', 0o600);
  const put = (piece: Buffer): void => {
    for (let at = 0; at < piece.length; ) at += writeSync(output, piece, at);
  };
  const member = (name: string, bytes: number, pieces: Iterable<Buffer>): void => {
    put(header({ kind: 'file', path: name, bytes }));
    for (const piece of pieces) put(piece);
    put(padding(bytes));
  };
  try {
    member('config.json', Buffer.byteLength(config), [Buffer.from(config)]);
    for (const [index, layer] of image.layers.entries())
      member(names[index] ?? '', diffIds[index]?.size ?? 0, layerTar(layer));
    member('manifest.json', Buffer.byteLength(manifest), [Buffer.from(manifest)]);
    put(endOfArchive);
  } finally {
    closeSync(output);
  }
}

/** Writes the files of layers, one after the other, below a folder: what a container would see of them. */
export function writeTree(layers: readonly Layer[], root: string): void {
  for (const entry of layers.flat()) {
    const path = `${root}/${entry.path}`;
    if (entry.kind === 'directory') mkdirSync(path, { recursive: true });
    else if (entry.kind === 'link') symlinkSync(entry.target, path);
    else {
      const output = openSync(path, 'wx', 0o644);
      try {
        for (const piece of contentOf(entry)) {
          for (let at = 0; at < piece.length; ) at += writeSync(output, piece, at);
        }
      } finally {
        closeSync(output);
      }
    }
  }
}
