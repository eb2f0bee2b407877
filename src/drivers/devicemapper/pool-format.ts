/**
 * What a thin pool's lines and its metadata's first block say. Sources: the kernel's
 * Documentation/admin-guide/device-mapper/thin-provisioning.rst, and drivers/md/dm-thin-metadata.c for the superblock.
 */
import { TsengineError } from '../../errors.ts';
import type { Target } from '../../linux/device-mapper.ts';

/** Sizes in device-mapper are in sectors of so many bytes. */
export const SECTOR = 512;
/** How many free blocks are few: the kernel tells who listens. As in Docker. */
const LOW_WATER_MARK = 32_768;
/**
 * A block is not zeroed before it is first written: filesystems know what they wrote. A full pool fails writes, which else
 * wait for a minute, or for ever.
 */
const FEATURES = ['skip_block_zeroing', 'error_if_no_space'];

/** What a device is called by which a process of this number looks at a layer, and the pool over the home's files below it. */
export function viewNames(prefix: string, maker: number, sequence: number): { device: string; pool: string } {
  const device = `${prefix}-view-${maker}-${sequence}`;
  return { device, pool: `${device}-pool` };
}

/** Which of a home's devices are such ones, with who made them; a device before its pool. */
export function viewsAmong(names: readonly string[]): { name: string; maker: string }[] {
  return names
    .flatMap((name) => {
      const [, maker, pool] = /-view-(\d+)-\d+(-pool)?$/.exec(name) ?? [];
      return maker === undefined ? [] : [{ name, maker, isPool: pool !== undefined }];
    })
    .sort((one, other) => Number(one.isPool) - Number(other.isPool));
}

/** The table of a pool; `devices` as `major:minor`. */
export function poolTable(
  devices: { readonly metadata: string; readonly data: string },
  dataBytes: number,
  blockBytes: number,
  isReadOnly = false,
): Target {
  const features = isReadOnly ? [...FEATURES, 'read_only'] : FEATURES;
  const block = blockBytes / SECTOR;
  const sectors = Math.floor(dataBytes / SECTOR);
  const parameters = `${devices.metadata} ${devices.data} ${block} ${LOW_WATER_MARK} ${features.length} ${features.join(' ')}`;
  return { type: 'thin-pool', sectors, parameters };
}

/** The table of a layer's device. `pool` is its `major:minor`. */
export function thinTable(pool: string, deviceId: number, bytes: number): Target {
  return { type: 'thin', sectors: Math.floor(bytes / SECTOR), parameters: `${pool} ${deviceId}` };
}

/** How a pool does. */
export interface PoolStatus {
  readonly transaction: number;
  /** In blocks of 4 KiB. */
  readonly metadataUsed: number;
  readonly metadataTotal: number;
  /** In blocks of the pool's own size. */
  readonly dataUsed: number;
  readonly dataTotal: number;
  readonly mode: 'rw' | 'ro' | 'out_of_data_space';
  readonly needsCheck: boolean;
}

/** Reads a pool's status line; `undefined` where the pool has failed, which is all it says then. */
export function parsePoolStatus({ parameters }: Target): PoolStatus | undefined {
  const [transaction = '', metadata = '', data = '', , mode = '', ...rest] = parameters.trim().split(' ');
  const [metadataUsed, metadataTotal] = metadata.split('/').map(Number);
  const [dataUsed, dataTotal] = data.split('/').map(Number);
  if (metadataUsed === undefined || metadataTotal === undefined) return undefined;
  if (dataUsed === undefined || dataTotal === undefined) return undefined;
  return {
    transaction: Number(transaction),
    metadataUsed,
    metadataTotal,
    dataUsed,
    dataTotal,
    mode: mode === 'ro' || mode === 'out_of_data_space' ? mode : 'rw',
    needsCheck: rest.includes('needs_check'),
  };
}

/** The metadata's blocks. */
export const METADATA_BLOCK = 4096;
/** Of how many the kernel makes use: `DM_SM_METADATA_MAX_BLOCKS`. */
const MOST_METADATA_BLOCKS = 255 * ((1 << 14) - 64);

/** Whether a pool does not know yet how large its metadata's device has become. */
export function isMetadataBehind({ metadataTotal }: PoolStatus, bytes: number): boolean {
  return metadataTotal < Math.min(Math.floor(bytes / METADATA_BLOCK), MOST_METADATA_BLOCKS);
}

/** What a pool's table line says. */
export interface PoolDevices {
  readonly metadata: string;
  readonly data: string;
  readonly blockBytes: number;
}

/** Reads a pool's table line. */
export function parsePoolTable({ parameters }: Target): PoolDevices {
  const [metadata = '', data = '', block = ''] = parameters.split(' ');
  return { metadata, data, blockBytes: Number(block) * SECTOR };
}

const MAGIC = 27_022_010n;
/** How much of the metadata is looked at: one block of it. */
export const SUPERBLOCK_SIZE = 4096;

/** What the first block of a pool's metadata says. */
export interface Superblock {
  readonly transaction: number;
  readonly blockBytes: number;
  /** How large the kernel knows the two devices, in bytes. */
  readonly dataBytes: number;
  readonly metadataBytes: number;
  /** The kernel gave up on it once, and gives nothing to write until thin_check or thin_repair cleared it. */
  readonly needsCheck: boolean;
}

/** Whether the first block of a device is that of a pool's metadata. */
export function isSuperblock(block: Buffer): boolean {
  return block.length >= SUPERBLOCK_SIZE && block.readBigUInt64LE(32) === MAGIC;
}

/** Reads the first block of a pool's metadata; `undefined` for one full of zeros, which the kernel makes a new pool of. */
export function parseSuperblock(block: Buffer, path: string): Superblock | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (!isSuperblock(block)) {
    throw new TsengineError(
      'Corrupt',
      `devicemapper: ${path} holds no thin pool's metadata: name another device, put it back from a backup if it is the one, or, where nothing on it is needed, empty it with dd if=/dev/zero of=${path} bs=4096 count=1`,
    );
  }
  const blockBytes = block.readUInt32LE(336) * SECTOR;
  return {
    transaction: Number(block.readBigUInt64LE(48)),
    blockBytes,
    // Each space map's root begins with the number of blocks.
    dataBytes: Number(block.readBigUInt64LE(64)) * blockBytes,
    metadataBytes: Number(block.readBigUInt64LE(192)) * METADATA_BLOCK,
    needsCheck: (block.readUInt32LE(4) & 1) !== 0,
  };
}
