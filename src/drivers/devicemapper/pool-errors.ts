/** What is said of a pool that cannot be had, or not be written. */
import { hasErrno, TsengineError } from '../../errors.ts';
import { blockDeviceSize, readStart } from '../../linux/block-device.ts';
import { badOption } from '../storage-options.ts';
import { givenDevices, notGiven } from './given-devices.ts';
import { BASE } from './metadata.ts';
import type { Pool } from './pool.ts';
import {
  isSuperblock,
  type PoolStatus,
  parseSuperblock,
  SUPERBLOCK_SIZE,
  type Superblock,
} from './pool-format.ts';

/** One of the two devices that a pool is made of. */
export interface Part {
  /** What errors call it: the file or the device. */
  readonly path: string;
  readonly node: string;
  readonly number: string;
}

/** Both of them. */
export interface Parts {
  readonly data: Part;
  readonly metadata: Part;
}

/** Something that is not there, or not as it has to be. */
export function fails(message: string, cause?: unknown): TsengineError {
  return new TsengineError('Unavailable', `devicemapper: ${message}`, { cause });
}

/** Why the kernel made no pool, as far as its answer and the metadata tell; else the error that came. */
export function notMade(parts: Parts, isNew: boolean, error: unknown): unknown {
  if (isNew && hasErrno(error, 'EINVAL', 'ENOSPC')) return notTaken(parts, error);
  const short = hasErrno(error, 'EINVAL', 'EIO', 'ENOTBLK', 'EILSEQ')
    ? partCutShort(parts, error)
    : undefined;
  if (short !== undefined) return short;
  return hasErrno(error, 'ENOTBLK', 'EILSEQ') ? damaged(parts, error) : error;
}

/** The kernel says no more than that; what it tells the log is for those who read its source. */
function notTaken({ data, metadata }: Parts, cause: unknown): TsengineError {
  const [all, known] = [data, metadata].map(({ node }) => blockDeviceSize(node));
  return badOption(
    `devicemapper: the kernel makes no pool of ${all} bytes with ${known} bytes of metadata: give a larger dm.loopmetadatasize (or dm.metadatadev), or a smaller dm.loopdatasize`,
    cause,
  );
}

/** What the kernel says of a checksum that is wrong. */
function damaged({ metadata: { path } }: Parts, cause: unknown): TsengineError {
  return new TsengineError(
    'Corrupt',
    `devicemapper: the pool's metadata on ${path} is damaged: run thin_check on it, and thin_repair to mend it`,
    { cause },
  );
}

function partCutShort({ data, metadata }: Parts, cause: unknown): TsengineError | undefined {
  const left = ({ path, node }: Part): Left => ({ path, bytes: blockDeviceSize(node) });
  const known = parseSuperblock(readStart(metadata.node, SUPERBLOCK_SIZE), metadata.path);
  return cutShort(known, { data: left(data), metadata: left(metadata) }, cause);
}

/** A file or a device of a pool, and how large it is now. */
interface Left {
  readonly path: string;
  readonly bytes: number;
}

/** A pool never shrinks: a file or device smaller than its metadata says (`known`) has lost its end. Those left out are passed over. */
export function cutShort(
  known: Superblock | undefined,
  { data, metadata }: Readonly<Record<'data' | 'metadata', Left | undefined>>,
  cause?: unknown,
): TsengineError | undefined {
  if (known === undefined) return undefined;
  for (const [left, bytes] of [
    [data, known.dataBytes],
    [metadata, known.metadataBytes],
  ] as const) {
    if (left === undefined || left.bytes >= bytes) continue;
    return new TsengineError(
      'Corrupt',
      `devicemapper: ${left.path} has ${left.bytes} bytes of the ${bytes} that the pool was made of: put it back from a backup`,
      { cause },
    );
  }
  return undefined;
}

/** A loop file that is not there, of a pool that is not active: it is lost, or the pool is on devices that nobody named this time. */
export function lostPool(home: string, lost: string): TsengineError {
  const given = givenDevices(home);
  if (given !== undefined) return notGiven(home, given);
  return fails(
    `the layers in ${home} are in a pool that is not there, and neither is its loop file ${lost}: put that back, or, where it is another pool, name it with --storage-opt dm.thinpooldev=/dev/mapper/NAME, or its devices with dm.datadev and dm.metadatadev, as when it was made`,
  );
}

/** Fails where the metadata's device or file of a root with layers has none: the kernel would make a new pool on it. */
export function mustHoldPool(home: string, { node, path }: Pick<Part, 'node' | 'path'>): void {
  if (isSuperblock(readStart(node, SUPERBLOCK_SIZE))) return;
  const remedy = path.startsWith(`${home}/`)
    ? 'put it back from a backup, or see what thin_repair finds in a copy of it'
    : 'name the devices as when it was made';
  throw fails(
    `${path} holds no pool's metadata, and the layers in ${home} are in a pool that has some: ${remedy}`,
  );
}

/** A device on record that its pool does not have. */
export function noSuchDevice(pool: string, deviceId: number, id: string, cause: unknown): TsengineError {
  const whose = id === BASE ? 'the base device' : `layer ${id}`;
  return new TsengineError(
    'Corrupt',
    `devicemapper: the pool ${pool} has no device ${deviceId} for ${whose}: it is another pool than the layers were made in`,
    { cause },
  );
}

/** A pool that the kernel writes no more. thin_check alone finds no fault, and leaves the flag that says so. */
export function notWritable(
  { name, files }: Pick<Pool, 'name' | 'files'>,
  { needsCheck }: PoolStatus,
): TsengineError {
  const why = needsCheck ? 'needs a check' : 'is read-only';
  const metadata = files.metadata ?? 'its metadata';
  return fails(
    `the pool ${name} ${why}: see that the disk below it is not full, stop what uses it, take it down with dmsetup remove and run thin_check --clear-needs-check-flag on ${metadata} (thin_repair where that finds damage)`,
  );
}
