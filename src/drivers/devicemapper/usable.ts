/** What the options of a new root name is looked at before anything is made: whether it is there, fits, and is nobody else's. */
import { TsengineError } from '../../errors.ts';
import { readStart } from '../../linux/block-device.ts';
import { shellWord } from '../../linux/command.ts';
import { pathExists } from '../../linux/files.ts';
import { blockPart } from './block-part.ts';
import { mustBeUnheld, mustDiffer } from './holders.ts';
import { sizeOf } from './loop-file.ts';
import { BASE, Metadata } from './metadata.ts';
import type { DevicemapperOptions } from './options.ts';
import { checkedBlockSize, mustBePool, Pool } from './pool.ts';
import type { Part } from './pool-errors.ts';
import { isSuperblock, parseSuperblock, SUPERBLOCK_SIZE } from './pool-format.ts';
import { holdsSomething, signatureOf, wipefs } from './signature.ts';

/** Finds out whether the pool of a root without a base device can be what the options say. */
export async function mustBeUsable(home: string, options: DevicemapperOptions): Promise<void> {
  const { source } = options;
  if (source.kind === 'pool') mustBePool(source.name);
  if (source.kind !== 'own') return;
  const part = (path: string | undefined): Part | undefined =>
    path === undefined ? undefined : blockPart(path);
  const [data, metadata] = [part(source.data), part(source.metadata)];
  for (const one of [data, metadata]) if (one !== undefined) mustBeUnheld(one, isOwnIn(home, options));
  if (data !== undefined && metadata !== undefined) mustDiffer(data, metadata);
  // Before the record of who wrote it, which comes before what is written.
  const found = data === undefined ? undefined : await signatureOf(data.node);
  if (metadata !== undefined) {
    await mustHoldMetadataOrNothing(metadata);
    checkedBlockSize(metadata, options);
    if (data === undefined) mustBeUnused(home, metadata);
  }
  if (data === undefined || found === undefined) return;
  if (!isOfPool(home, metadata)) throw holdsSomething(data.path, found, false);
}

/** What another command made of this home meanwhile is ours as well. */
function isOwnIn(home: string, options: DevicemapperOptions): (name: string) => boolean {
  return (name) => pathExists(home) && new Pool(home, options).owns(name);
}

/** Fails where a pool's metadata would be written over something that is none. */
export async function mustHoldMetadataOrNothing({ path, node }: Part): Promise<void> {
  if (isSuperblock(readStart(node, SUPERBLOCK_SIZE))) return;
  // Of what is not zero the first block alone counts: the rest may be of a pool that is gone.
  const found = wipefs() === undefined ? undefined : await signatureOf(node);
  if (found !== undefined) throw holdsSomething(path, found, true);
}

/** Fails where a pool that others have used would get a data file of ours, which its metadata would count from then on. */
function mustBeUnused(home: string, metadata: Part): void {
  if (!isOfPool(home, metadata)) return;
  const record = new Metadata(home);
  if (record.transaction() !== undefined || record.device(BASE) !== undefined) return;
  throw new TsengineError(
    'Conflict',
    `devicemapper: unable to take ownership of ${metadata.path}, which is the metadata of a thin pool that was used: name another device, or, where nothing of that pool is needed, empty it (dd if=/dev/zero of=${shellWord(metadata.path)} bs=4096 count=1)`,
  );
}

/**
 * Whether what is on the data device is of the pool that this metadata is of: one that an interrupted set-up of this home left, or
 * one that others used, which is refused as soon as it is asked what it holds.
 */
function isOfPool(home: string, metadata: Part | undefined): boolean {
  const file = `${home}/devicemapper/metadata`;
  if (metadata === undefined && sizeOf(file) === 0) return false;
  const { node, path } = metadata ?? { node: file, path: file };
  const known = parseSuperblock(readStart(node, SUPERBLOCK_SIZE), path);
  if (known === undefined) return false;
  const record = new Metadata(home);
  return known.transaction > 0 || record.transaction() !== undefined || record.device(BASE) !== undefined;
}
