/** The storage options of devicemapper, in Docker's words. What each means: docs of dockerd, "Devicemapper options". */
import type { TsengineError } from '../../errors.ts';
import type { CreateOptions, DriverContext } from '../driver.ts';
import {
  badOption,
  parseBool,
  parseSize,
  requestedQuota,
  SIZE_OPTION,
  unknownOption,
} from '../storage-options.ts';

/** The filesystems that layers can have. */
export type LayerFilesystem = 'ext4' | 'xfs';

/** Where the pool's blocks are. */
export type PoolSource =
  /** A pool that somebody else made and keeps, by its name in `/dev/mapper`. */
  | { readonly kind: 'pool'; readonly name: string }
  /** One that LVM is to make on a block device. */
  | { readonly kind: 'lvm'; readonly setup: LvmSetup }
  /** Two block devices; a loop file in place of each that is not given. */
  | { readonly kind: 'own'; readonly data: string | undefined; readonly metadata: string | undefined };

/** What device-mapper calls the pool that LVM makes: volume group `docker`, pool `thinpool`. */
export const LVM_POOL_DEVICE = 'docker-thinpool';

/** The file in the driver's home in which Docker keeps what LVM was told. */
export const LVM_CONFIG = 'setup-config.json';

/** What LVM is told. A percentage of 0 is Docker's default. */
export interface LvmSetup {
  readonly device: string;
  /** Whether what is on the device may be overwritten. */
  readonly force: boolean;
  readonly dataPercent: number;
  readonly metadataPercent: number;
  readonly autoextendPercent: number;
  readonly autoextendThreshold: number;
}

/** The engine's options. Sizes are in bytes. */
export interface DevicemapperOptions {
  readonly source: PoolSource;
  readonly baseSize: number;
  /** Whether somebody asked for that size: then an existing base device grows to it. */
  readonly isBaseSizeGiven: boolean;
  /** Of loop files: what a new one has, and what an older one grows to. `undefined` is Docker's default for a new one. */
  readonly loopDataSize: number | undefined;
  readonly loopMetadataSize: number | undefined;
  /** Of the first base device; `undefined` takes xfs where it can. */
  readonly filesystem: LayerFilesystem | undefined;
  readonly mkfsArguments: readonly string[];
  /** Separated by commas. */
  readonly mountOptions: string;
  /** Of the pool, where somebody asked for one. */
  readonly blockSize: number | undefined;
  readonly discardsOnRemove: boolean;
  readonly minFreePercent: number;
  readonly defersRemoval: boolean;
  readonly defersDeletion: boolean;
  /** How often xfs tries again to write its metadata when the pool is full. */
  readonly xfsNospaceRetries: string;
}

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const TIB = 1024 ** 4;
/** Of a pool that is made, where nobody asked for another: Docker's 128 sectors. */
export const DEFAULT_BLOCK_SIZE = 64 * 1024;
/** Of loop files that are made, where nobody asked for another size. They are sparse. */
export const DEFAULT_LOOP_SIZES = { data: 100 * GIB, metadata: 2 * GIB } as const;
const LEAST_BLOCK_SIZE = 64 * 1024;
const MOST_BLOCK_SIZE = GIB;

/** Sizes that an option takes, in bytes and in words. */
interface Range {
  readonly least: number;
  readonly most: number;
  readonly words: string;
}
/**
 * Of a layer's device. The least is that of an old mkfs.xfs; a newer one wants 300M and says so. The most is what ext4 takes
 * with block numbers of 32 bits; above it mkfs and growing write for minutes, and then hours, what no pool of ours has room for.
 */
const LAYER_SIZES: Range = { least: 16 * MIB, most: 16 * TIB, words: '16M to 16T' };
/**
 * Of the pool's data. The kernel writes two bits for each block of it to the metadata while the pool is made: 256 MiB for 64T
 * in the smallest blocks, which takes it seconds, and hours for the 8P that files may have.
 */
const DATA_SIZES: Range = { least: 16 * MIB, most: 64 * TIB, words: '16M to 64T' };
/** Of its metadata. The kernel's documentation wants 2 MiB at least, and it does not use what is above 16 GiB. */
const METADATA_SIZES: Range = { least: 2 * MIB, most: 16 * GIB, words: '2M to 16G' };

/** The error for options that are none, or do not go together. */
export function invalid(message: string): TsengineError {
  return badOption(`devicemapper: ${message}`);
}

type Given = Map<string, string[]>;

const KEYS: ReadonlySet<string> = new Set(
  (
    'basesize loopdatasize loopmetadatasize fs mkfsarg mountopt metadatadev datadev thinpooldev blkdiscard blocksize ' +
    'override_udev_sync_check use_deferred_removal use_deferred_deletion min_free_space xfs_nospace_max_retries ' +
    'directlvm_device directlvm_device_force thinp_percent thinp_metapercent thinp_autoextend_percent ' +
    'thinp_autoextend_threshold libdm_log_level'
  )
    .split(' ')
    .map((key) => `dm.${key}`),
);

/** There are too many to name all. */
function unknown(key: string): TsengineError {
  const meant = `dm.${key.toLowerCase()}`;
  const own = KEYS.has(meant)
    ? [meant]
    : ['dm.basesize, dm.loopdatasize, dm.fs and more: see docs/devicemapper.md'];
  return unknownOption('devicemapper', key, own);
}

function collect({ options }: Pick<DriverContext, 'options'>): Given {
  const given: Given = new Map();
  for (const [key, value] of options) {
    const lower = key.toLowerCase();
    if (!KEYS.has(lower)) throw unknown(key);
    given.set(lower, [...(given.get(lower) ?? []), value]);
  }
  return given;
}

/** Reads the engine's `--storage-opt` values. Of an option that comes twice the last one counts, as in Docker. */
export function readEngineOptions(context: Pick<DriverContext, 'options'>): DevicemapperOptions {
  const given = collect(context);
  const last = (key: string): string | undefined => given.get(`dm.${key}`)?.at(-1);
  const bool = (key: string, otherwise: boolean): boolean => {
    const text = last(key);
    return text === undefined ? otherwise : parseBool(`dm.${key}`, text);
  };
  const size = (key: string, range: Range): number | undefined => {
    const text = last(key);
    return text === undefined ? undefined : sizeWithin(`dm.${key}`, text, range);
  };
  // They say how Docker talks to libdevmapper, which is not asked here.
  bool('override_udev_sync_check', false);
  wholeNumber('libdm_log_level', last('libdm_log_level'), 2, 7);
  const source = poolSource(last, bool);
  const defersRemoval = bool('use_deferred_removal', true);
  const defersDeletion = bool('use_deferred_deletion', defersRemoval);
  if (defersDeletion && !defersRemoval) {
    throw invalid(
      'dm.use_deferred_deletion needs deferred removal: add --storage-opt dm.use_deferred_removal=true',
    );
  }
  return {
    source,
    baseSize: size('basesize', LAYER_SIZES) ?? 10 * GIB,
    isBaseSizeGiven: given.has('dm.basesize'),
    loopDataSize: size('loopdatasize', DATA_SIZES),
    loopMetadataSize: size('loopmetadatasize', METADATA_SIZES),
    filesystem: filesystemOption(last('fs')),
    mkfsArguments: given.get('dm.mkfsarg') ?? [],
    mountOptions: (given.get('dm.mountopt') ?? []).filter((text) => text !== '').join(','),
    blockSize: blockSizeOption(last('blocksize')),
    discardsOnRemove: bool('blkdiscard', source.kind === 'own' && source.data === undefined),
    minFreePercent: percentWithSign(last('min_free_space')),
    defersRemoval,
    defersDeletion,
    xfsNospaceRetries: String(
      wholeNumber('xfs_nospace_max_retries', last('xfs_nospace_max_retries'), 0, 2 ** 31 - 1) ?? 0,
    ),
  };
}

/** In whole sectors. */
function sizeWithin(option: string, text: string, { least, most, words }: Range): number {
  const bytes = parseSize(`devicemapper: ${option}`, text, words);
  if (bytes >= least && bytes <= most) return Math.floor(bytes / 512) * 512;
  throw invalid(`${option}=${text} is out of range: give ${words}`);
}

function filesystemOption(text: string | undefined): LayerFilesystem | undefined {
  if (text === undefined || text === 'ext4' || text === 'xfs') return text;
  throw invalid(`unsupported filesystem dm.fs=${text}: choose ext4 or xfs`);
}

function blockSizeOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize('devicemapper: dm.blocksize', text);
  // What the kernel's thin-pool takes.
  if (bytes >= LEAST_BLOCK_SIZE && bytes <= MOST_BLOCK_SIZE && bytes % LEAST_BLOCK_SIZE === 0) return bytes;
  throw invalid(`dm.blocksize=${text} is out of range: a pool's blocks have 64K to 1G, in multiples of 64K`);
}

function wholeNumber(key: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw invalid(`dm.${key}=${text} is out of range: give a whole number from ${least} to ${most}`);
}

function percentWithSign(text: string | undefined): number {
  if (text === undefined) return 10;
  if (/^\d{1,2}%$/.test(text)) return Number(text.slice(0, -1));
  throw invalid(`dm.min_free_space=${text} is out of range: give 0% to 99%, with the % sign`);
}

function poolSource(
  last: (key: string) => string | undefined,
  bool: (key: string, otherwise: boolean) => boolean,
): PoolSource {
  const pool = last('thinpooldev');
  const [data, metadata] = [blockDevicePath('datadev', last), blockDevicePath('metadatadev', last)];
  const setup = lvmSetup(last, bool);
  if (setup !== undefined && pool !== undefined) {
    throw invalid('dm.directlvm_device makes a pool, and dm.thinpooldev names one: give one of the two');
  }
  if ((setup ?? pool) !== undefined && (data ?? metadata) !== undefined) {
    throw invalid('dm.datadev and dm.metadatadev make a pool of their own: they go with no other pool');
  }
  if (setup !== undefined) return { kind: 'lvm', setup };
  if (pool === undefined) return { kind: 'own', data, metadata };
  const name = pool.replace(/^\/dev\/mapper\//, '');
  if (name !== '' && !name.includes('/')) return { kind: 'pool', name };
  throw invalid(`dm.thinpooldev=${pool} is no name of a pool: give it as /dev/mapper/NAME`);
}

function blockDevicePath(key: string, last: (key: string) => string | undefined): string | undefined {
  const path = last(key);
  if (path === undefined || path.startsWith('/')) return path;
  throw invalid(`dm.${key}=${path} is no path: give it as /dev/NAME`);
}

function lvmSetup(
  last: (key: string) => string | undefined,
  bool: (key: string, otherwise: boolean) => boolean,
): LvmSetup | undefined {
  const device = blockDevicePath('directlvm_device', last);
  const force = bool('directlvm_device_force', false);
  const percent = (key: string, most: number): number =>
    wholeNumber(key, last(key)?.replace(/%$/, ''), 0, most) ?? 0;
  const dataPercent = percent('thinp_percent', 99);
  const metadataPercent = percent('thinp_metapercent', 99);
  const autoextendPercent = percent('thinp_autoextend_percent', 100);
  const autoextendThreshold = percent('thinp_autoextend_threshold', 100);
  if (device === undefined) {
    if (dataPercent + metadataPercent + autoextendPercent + autoextendThreshold === 0) return undefined;
    throw invalid('must provide device path in `dm.directlvm_device` in order to configure direct-lvm');
  }
  if (dataPercent > 0 !== metadataPercent > 0) {
    throw invalid('must set both `dm.thinp_percent` and `dm.thinp_metapercent` if either is specified');
  }
  if (dataPercent + metadataPercent > 100) {
    throw invalid('combined `dm.thinp_percent` and `dm.thinp_metapercent` must not be greater than 100');
  }
  return { device, force, dataPercent, metadataPercent, autoextendPercent, autoextendThreshold };
}

/** What a container's `--storage-opt size` makes its device, in bytes; `undefined` when it has none. */
export function requestedSize(options: CreateOptions | undefined): number | undefined {
  const quota = requestedQuota(options, (key) => `devicemapper: unknown option ${key}`);
  if (quota === undefined) return undefined;
  const size = sizeWithin(SIZE_OPTION, quota.text, { ...LAYER_SIZES, least: 0, words: 'at most 16T' });
  if (size > 0) return size;
  throw invalid(`invalid storage size: ${quota.text}`);
}
