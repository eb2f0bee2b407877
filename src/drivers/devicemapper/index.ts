/** devicemapper, as the registry knows it. */
import { hasErrno, TsengineError } from '../../errors.ts';
import { deviceMapperVersion, hasTarget } from '../../linux/device-mapper.ts';
import { makeDirectories } from '../../linux/files.ts';
import type { Lock } from '../../linux/flock.ts';
import { holdsLayers } from '../data.ts';
import type { DriverContext, DriverFactory, Support } from '../driver.ts';
import {
  existingFolder,
  onlyReading,
  openedToWrite,
  refusalOfReadOnly,
  tellingReadOnly,
} from '../read-only.ts';
import { blockPart } from './block-part.ts';
import { DevicemapperDriver } from './driver.ts';
import { FirstSetup } from './first-setup.ts';
import { chooseFilesystem } from './layer-filesystem.ts';
import { BASE, Metadata } from './metadata.ts';
import { type DevicemapperOptions, LVM_POOL_DEVICE, type LvmSetup, readEngineOptions } from './options.ts';
import { Pool } from './pool.ts';
import { lostPool, mustHoldPool } from './pool-errors.ts';

/** Why this kernel cannot serve anybody. */
function refusal(): string | undefined {
  try {
    deviceMapperVersion();
  } catch (error) {
    if (hasErrno(error, 'EPERM', 'EACCES')) return "device-mapper's devices are made by root alone";
    if (!hasErrno(error, 'ENODEV')) throw error;
    return 'this kernel has no device-mapper: load its module dm_mod, or take a kernel built with CONFIG_BLK_DEV_DM and CONFIG_DM_THIN_PROVISIONING';
  }
  if (hasTarget('thin-pool')) return undefined;
  return 'this kernel has device-mapper without thin pools: load its module dm_thin_pool, or take a kernel built with CONFIG_DM_THIN_PROVISIONING';
}

/** Finds out before anything is made whether a new store could be. Gives whether it is a new one. */
async function mustBePossible(context: DriverContext, options: DevicemapperOptions): Promise<boolean> {
  const base = new Metadata(context.home).device(BASE);
  const isNew = base?.initialized !== true;
  if (isNew) chooseFilesystem(options.filesystem);
  const { source } = options;
  if (isNew) await (await import('./usable.ts')).mustBeUsable(context.home, options);
  if (isNew || source.kind !== 'own') return isNew;
  const pool = new Pool(context.home, options);
  const lost = pool.lostFile();
  if (pool.isActive() && !pool.isStale()) return false;
  if (lost !== undefined) throw lostPool(context.home, lost);
  const { metadata: file = '' } = pool.files;
  mustHoldPool(
    context.home,
    source.metadata === undefined ? { path: file, node: file } : blockPart(source.metadata),
  );
  return false;
}

/** The name of a pool that we did not make. */
function namedPool({ source }: DevicemapperOptions): string | undefined {
  return source.kind === 'pool' ? source.name : source.kind === 'lvm' ? LVM_POOL_DEVICE : undefined;
}

/** How often folders are made that others take away. */
const TRIES = 20;

/** The set's lock, before there is a set. Whoever had it may have taken away the folders that a set-up that failed had made. */
async function lockEarly(home: string, setup: FirstSetup | undefined): Promise<Lock> {
  const metadata = new Metadata(home);
  for (let tries = 0; ; tries++) {
    try {
      makeDirectories(home, 0o700);
      metadata.make();
      return await metadata.lock();
    } catch (error) {
      if (tries >= TRIES || !hasErrno(error, 'ENOENT')) throw error;
    }
    setup?.note();
  }
}

async function poolOf(
  { home }: DriverContext,
  options: DevicemapperOptions,
  setup: FirstSetup | undefined,
): Promise<Pool> {
  const { source } = options;
  if (source.kind === 'lvm') await makeWithLvm(home, source.setup, setup);
  makeDirectories(home, 0o700);
  return new Pool(home, options, namedPool(options));
}

async function makeWithLvm(home: string, wanted: LvmSetup, setup: FirstSetup | undefined): Promise<void> {
  const { setUpDirectLvm } = await import('./direct-lvm.ts');
  await setUpDirectLvm(home, wanted, async (work) => {
    using _lock = await lockEarly(home, setup);
    try {
      await work();
    } catch (error) {
      setup?.abandon();
      throw error;
    }
  });
}

/** See `DriverFactory`. */
export const devicemapperFactory: DriverFactory = {
  name: 'devicemapper',
  async probe(context): Promise<Support> {
    readEngineOptions(context);
    const reason = refusal();
    return reason === undefined
      ? (refusalOfReadOnly(context.home) ?? { supported: true })
      : { supported: false, reason };
  },
  hasData: (home) => holdsLayers('devicemapper', home),
  stores: async () => (await import('./store.ts')).devicemapperStore,
  async open(context) {
    const options = readEngineOptions(context);
    const reason = refusal();
    if (reason !== undefined) throw new TsengineError('Unavailable', `devicemapper: ${reason}`);
    if (context.readOnly === true) {
      const pool = new Pool(existingFolder(context.home), options, namedPool(options));
      return onlyReading(new DevicemapperDriver(context, options, pool), context.home);
    }
    const setup = (await mustBePossible(context, options)) ? new FirstSetup(context) : undefined;
    const pool = await tellingReadOnly('devicemapper', context.home, () => poolOf(context, options, setup));
    return await openedToWrite(new DevicemapperDriver(context, options, pool, setup), context.home);
  },
};
