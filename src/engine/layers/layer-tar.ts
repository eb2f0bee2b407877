/** A registered layer as the tar it came in as. */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync } from 'node:fs';
import { assembleTar, readTarSplit } from '../../archive/tar-assemble.ts';
import { cleanPath, latin1 } from '../../archive/unpack-name.ts';
import type { GraphDriver } from '../../drivers/driver.ts';
import { hasErrno, TsengineError } from '../../errors.ts';
import { O_NOFOLLOW, O_RDONLY, openAt, openAt2, RESOLVE_IN_ROOT } from '../../linux/at.ts';
import { pathExists } from '../../linux/files.ts';
import type { DiffId, Layer } from './types.ts';

/** Where a layer's tar is rebuilt from. */
export interface LayerTarSource {
  readonly driver: GraphDriver;
  readonly layer: Layer;
  /** The driver's id of the layer below. */
  readonly parentCacheId: string | undefined;
  readonly tarSplit: string;
}

/**
 * The layer's tar, byte for byte. What is in a layer's directory may have been changed behind our back: the tar-split
 * has a checksum of every file's content, and the gzip around it one of everything else, and all are compared as the
 * bytes go out. Docker compares the digest as well, which would double the work here and find nothing more. A layer
 * without a tar-split is made into a tar anew, and there the digest is the only thing that tells whether it is the same.
 */
export async function* layerTar(source: LayerTarSource): AsyncGenerator<Buffer> {
  const { driver, layer, parentCacheId, tarSplit } = source;
  if (!pathExists(tarSplit)) {
    yield* verified(driver.diff(layer.cacheId, parentCacheId), layer.diffId);
    return;
  }
  await using files = await driver.diffSource(layer.cacheId, parentCacheId);
  const root = openSync(files.root, 'r');
  try {
    yield* assembleTar(tarSplit, (name) => openBelow(root, name));
  } finally {
    closeSync(root);
  }
}

async function* verified(tar: AsyncIterable<Buffer>, diffId: DiffId): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of tar) {
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest('hex')}` === diffId) return;
  throw new TsengineError(
    'Corrupt',
    `could not verify layer data for: ${diffId}. This may be because internal files in the layer store were modified. Re-pulling or rebuilding this image may resolve the issue`,
  );
}

/**
 * Opens a file by the name that the tar has for it, which was cleaned when it was unpacked: what a `..` in it leaves need not be in
 * this layer. Links on the way are followed as if the layer were the root, as they were when it was
 * unpacked.
 */
function openBelow(root: number, written: Buffer): number {
  const name = written.includes('..') ? latin1(cleanPath(written, written).path) : written;
  const flags = O_RDONLY | O_NOFOLLOW;
  try {
    return openAt2(root, name, flags, RESOLVE_IN_ROOT);
  } catch (error) {
    // Kernels before 5.6. The layer's names were cleaned when it was unpacked, and nobody writes to image layers.
    if (!hasErrno(error, 'ENOSYS')) throw error;
    return openAt(root, Buffer.concat([Buffer.from('./'), name]), flags);
  }
}

/** Bytes of the layer's tar, from its tar-split; by making the tar where there is none. */
export async function layerTarSize(source: LayerTarSource): Promise<number> {
  let size = 0;
  if (pathExists(source.tarSplit)) {
    for await (const lines of readTarSplit(createReadStream(source.tarSplit), source.tarSplit)) {
      for (const line of lines) size += line.type === 'segment' ? line.bytes.length : contentBytes(line);
    }
  } else {
    const { driver, layer, parentCacheId } = source;
    for await (const chunk of driver.diff(layer.cacheId, parentCacheId)) size += chunk.length;
  }
  return size;
}

/** Docker copies the size field of links and directories into the tar-split; only members with a checksum have content. */
function contentBytes(line: { readonly size: number; readonly sum?: Buffer | undefined }): number {
  return line.size > 0 && line.sum?.every((byte) => byte === 0) === false ? line.size : 0;
}
