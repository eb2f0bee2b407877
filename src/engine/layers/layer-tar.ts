/** A registered layer as the tar it came in as. */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync } from 'node:fs';
import { assembleTar, readTarSplit } from '../../archive/tar-assemble.ts';
import type { GraphDriver } from '../../drivers/driver.ts';
import { hasErrno, TsengineError } from '../../errors.ts';
import { O_NOFOLLOW, O_RDONLY, openAt, openAt2, RESOLVE_IN_ROOT } from '../../linux/at.ts';
import { pathExists } from '../../linux/files.ts';
import type { Layer } from './types.ts';

/** Where a layer's tar is rebuilt from. */
export interface LayerTarSource {
  readonly driver: GraphDriver;
  readonly layer: Layer;
  /** The driver's id of the layer below. */
  readonly parentCacheId: string | undefined;
  readonly tarSplit: string;
}

/**
 * The layer's tar, byte for byte. Its digest is compared at the end, as in Docker, because what is in a layer's
 * directory may have been changed behind our back.
 */
export async function* layerTar(source: LayerTarSource): AsyncGenerator<Buffer> {
  const { layer } = source;
  const hash = createHash('sha256');
  for await (const chunk of unverified(source)) {
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest('hex')}` !== layer.diffId) {
    throw new TsengineError(
      'Corrupt',
      `could not verify layer data for: ${layer.diffId}. This may be because internal files in the layer store were modified. Re-pulling or rebuilding this image may resolve the issue`,
    );
  }
}

async function* unverified({
  driver,
  layer,
  parentCacheId,
  tarSplit,
}: LayerTarSource): AsyncGenerator<Buffer> {
  if (!pathExists(tarSplit)) {
    yield* driver.diff(layer.cacheId, parentCacheId);
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

/** Opens a file by the name that the tar has for it. Links on the way are followed as if the layer were the root, as they were when it was unpacked. */
function openBelow(root: number, name: Buffer): number {
  const flags = O_RDONLY | O_NOFOLLOW;
  try {
    return openAt2(root, name, flags, RESOLVE_IN_ROOT);
  } catch (error) {
    // Kernels before 5.6. The layer's names were cleaned when it was unpacked, and nobody writes to image layers.
    if (!hasErrno(error, 'ENOSYS')) throw error;
    if (name.toString('latin1').split('/').includes('..')) throw error;
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
    for await (const chunk of unverified(source)) size += chunk.length;
  }
  return size;
}

/** Docker copies the size field of links and directories into the tar-split; only members with a checksum have content. */
function contentBytes(line: { readonly size: number; readonly sum?: Buffer | undefined }): number {
  return line.size > 0 && line.sum?.every((byte) => byte === 0) === false ? line.size : 0;
}
