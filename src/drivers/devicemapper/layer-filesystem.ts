/** The filesystem of a layer's device: made once, on the base device, and then found on each snapshot of it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { errorMessage, hasErrno, LackingHereError, TsengineError } from '../../errors.ts';
import { readStart } from '../../linux/block-device.ts';
import { findCommand, runOrFail } from '../../linux/command.ts';
import { mount } from '../../linux/mount.ts';
import { badOption } from '../storage-options.ts';
import { splitMountOptions } from './mount-options.ts';
import type { DevicemapperOptions, LayerFilesystem } from './options.ts';

const PACKAGES: Readonly<Record<LayerFilesystem, string>> = { ext4: 'e2fsprogs', xfs: 'xfsprogs' };

/** How a filesystem is to be made. */
export interface MakeFilesystem {
  readonly type: LayerFilesystem;
  readonly program: string;
}

/** Which filesystem a base device gets: the one asked for, else xfs where it can be made, as with Docker. */
export function chooseFilesystem(wanted: LayerFilesystem | undefined): MakeFilesystem {
  const type = wanted ?? (findCommand('mkfs.xfs') !== undefined && knowsXfs() ? 'xfs' : 'ext4');
  const program = findCommand(`mkfs.${type}`);
  if (program !== undefined) return { type, program };
  throw new LackingHereError(
    `devicemapper: mkfs.${type} is missing, which makes the base device's file system: install the package ${PACKAGES[type]}`,
  );
}

/** Whether the kernel has xfs, or may load it. */
function knowsXfs(): boolean {
  if (readFileSync('/proc/filesystems', 'latin1').includes('\txfs\n')) return true;
  try {
    // Loads the module. There is nothing to mount.
    mount({ source: 'none', target: '/proc/self/cwd', type: 'xfs' });
    return true;
  } catch (error) {
    return !hasErrno(error, 'ENODEV');
  }
}

const PURPOSE = 'devicemapper';
/** How much of what mkfs says is told. */
const MOST_SAID = 120;

/**
 * Makes the filesystem. ext4's tables are written at once and completely, because blocks of the pool are not zeroed, and what
 * they held before must not look like inodes.
 */
export async function makeFilesystem(
  { type, program }: MakeFilesystem,
  node: string,
  options: DevicemapperOptions,
): Promise<void> {
  const extra = options.mkfsArguments;
  const args =
    type === 'xfs'
      ? [...extra, node]
      : ['-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0', ...extra, node];
  try {
    await runOrFail(program, args, PURPOSE);
  } catch (error) {
    throw notMade(`${PURPOSE}: mkfs.${type} failed: `, options, error);
  }
}

/** What mkfs says, without its pages of usage, and which option to mend. */
function notMade(start: string, options: DevicemapperOptions, cause: unknown): TsengineError {
  const { mkfsArguments, isBaseSizeGiven, loopDataSize } = options;
  // mkfs.xfs names an option that it does not know by a byte of zero.
  const [all = ''] = errorMessage(cause)
    .replaceAll(/\p{Cc}/gu, '')
    .split(/\.?\s*usage:/i);
  const said = all.startsWith(start) ? all.slice(start.length) : all;
  // Why it failed comes last.
  const line = `${start}${said.length > MOST_SAID ? `…${said.slice(-MOST_SAID)}` : said}`;
  if (mkfsArguments.length > 0) {
    return badOption(`${line}: mend dm.mkfsarg, or leave it out`, cause);
  }
  if (isBaseSizeGiven || loopDataSize !== undefined) {
    return badOption(`${line}: give a larger dm.basesize (xfs wants 300M) or dm.loopdatasize`, cause);
  }
  return new TsengineError('System', `${line}: see whether the disk is full, and the kernel's messages`, {
    cause,
  });
}

/** What is on a device. */
export interface FoundFilesystem {
  readonly type: LayerFilesystem;
  /** As blkid(8) writes it. */
  readonly uuid: string;
}

/** ext4's superblock is at 1024: s_magic u16 at 0x38, s_uuid at 0x68. xfs's at 0: magic `XFSB`, sb_uuid at 32. */
const ENOUGH = 2048;

/** Which filesystem is on a device, told from its superblock; `undefined` for any other. */
export function findFilesystem(node: string): FoundFilesystem | undefined {
  const start = readStart(node, ENOUGH);
  if (start.length < ENOUGH) return undefined;
  if (start.toString('latin1', 0, 4) === 'XFSB') return { type: 'xfs', uuid: uuidAt(start, 32) };
  if (start.readUInt16LE(1024 + 0x38) === 0xef53) return { type: 'ext4', uuid: uuidAt(start, 1024 + 0x68) };
  return undefined;
}

function uuidAt(buffer: Buffer, at: number): string {
  const hex = buffer.toString('hex', at, at + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** How a layer is mounted. */
export interface LayerMount {
  readonly node: string;
  /** Of the device: the kernel calls it `dm-MINOR`. */
  readonly minor: number;
  readonly target: string;
  /** The engine's `dm.mountopt`. */
  readonly options: string;
  readonly label?: string | undefined;
  /** More flags for mount(2). */
  readonly flags?: number;
  /** Docker's `dm.xfs_nospace_max_retries`. */
  readonly xfsNospaceRetries: string;
}

/**
 * Mounts a layer's device. udev removes its link of that name a moment later where an earlier device had the name: then the kernel's own
 * node serves.
 */
export function mountLayer(request: LayerMount): void {
  try {
    mountFrom(request);
  } catch (error) {
    const node = `/dev/dm-${request.minor}`;
    if (!hasErrno(error, 'ENOENT') || request.node === node || !existsSync(node)) throw error;
    mountFrom({ ...request, node });
  }
}

/** Snapshots of one xfs have its UUID all, which it takes only when told so. */
function mountFrom(request: LayerMount): void {
  const { node, target, label } = request;
  const found = findFilesystem(node);
  if (found === undefined) throw noFilesystem(node);
  const { flags, words } = splitMountOptions(request.options, request.flags);
  const data = [
    ...(found.type === 'xfs' ? ['nouuid'] : []),
    ...words,
    ...(label === undefined || label === '' ? [] : [`context="${label}"`]),
  ].join(',');
  try {
    mount({ source: node, target, type: found.type, flags, data });
  } catch (error) {
    if (hasErrno(error, 'ENOSPC')) {
      throw new TsengineError(
        'System',
        `devicemapper: no space left on device: the pool is full, and ${found.type} on ${node} writes when it is mounted: grow the pool (dm.loopdatasize for loop files), or remove images and containers`,
        { cause: error },
      );
    }
    if (request.options === '' || !hasErrno(error, 'EINVAL')) throw error;
    throw badOption(
      `devicemapper: ${node} cannot be mounted with dm.mountopt=${request.options} (invalid argument): leave out what ${found.type} does not take, which the kernel's messages name`,
      error,
    );
  }
  if (found.type === 'xfs') limitRetries(request.minor, request.xfsNospaceRetries);
}

/** The error for a device with something else on it. */
export function noFilesystem(node: string): TsengineError {
  return new TsengineError('Corrupt', `devicemapper: there is neither ext4 nor xfs on ${node}`);
}

/**
 * Tells xfs how often it may try to write its metadata on a full pool: for ever, unless told otherwise, and whoever writes hangs
 * meanwhile. Kernels before 4.7 know no such limit.
 */
function limitRetries(minor: number, retries: string): void {
  const file = `/sys/fs/xfs/dm-${minor}/error/metadata/ENOSPC/max_retries`;
  if (existsSync(file)) writeFileSync(file, retries);
}
