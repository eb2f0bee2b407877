/**
 * The drivers by name, and which one serves a data root. Nothing of a driver is loaded before it is chosen.
 */
import { TsengineError } from '../errors.ts';
import { holdsLayers } from './data.ts';
import type { DriverContext, DriverFactory, DriverName, GraphDriver } from './driver.ts';
import { badOption } from './storage-options.ts';

interface Registered {
  readonly name: DriverName;
  /** Never taken without being asked for: data of it in a root counts as asking. */
  readonly onlyByName: boolean;
  readonly load: () => Promise<DriverFactory>;
}

/** In the order in which a fresh root tries them. */
const DRIVERS: readonly Registered[] = [
  {
    name: 'overlay2',
    onlyByName: false,
    load: async () => (await import('./overlay2/index.ts')).overlay2Factory,
  },
  {
    name: 'btrfs',
    onlyByName: false,
    load: async () => (await import('./btrfs/index.ts')).btrfsFactory,
  },
  { name: 'zfs', onlyByName: false, load: async () => (await import('./zfs/index.ts')).zfsFactory },
  { name: 'vfs', onlyByName: false, load: async () => (await import('./vfs/index.ts')).vfsFactory },
  { name: 'aufs', onlyByName: true, load: async () => (await import('./aufs/index.ts')).aufsFactory },
  {
    name: 'devicemapper',
    onlyByName: true,
    load: async () => (await import('./devicemapper/index.ts')).devicemapperFactory,
  },
];

/** All names, in the order of preference. */
export const DRIVER_NAMES: readonly DriverName[] = DRIVERS.map((driver) => driver.name);

/** What the choice of a driver needs to know. */
export interface DriverChoice {
  readonly dataRoot: string;
  /** What the user asked for; `undefined` or empty leaves it to us. */
  readonly name?: string | undefined;
  /** The context each driver would be opened with; `home` is `<data-root>/<driver>`. */
  context(name: DriverName): DriverContext;
}

/** The factory of a driver, by name. Fails with `InvalidParameter` on an unknown name. */
export async function driverFactory(name: string): Promise<DriverFactory> {
  const driver = DRIVERS.find((candidate) => candidate.name === name);
  if (driver !== undefined) return await driver.load();
  throw badOption(`unknown storage driver ${JSON.stringify(name)}: choose one of ${DRIVER_NAMES.join(', ')}`);
}

/**
 * Fails as `open` would where a driver cannot serve a place in which there is nothing yet, and makes nothing there. `offer` gives
 * another way out, if there is one.
 */
export async function mustServe(
  factory: DriverFactory,
  context: DriverContext,
  offer: () => Promise<string | undefined>,
): Promise<void> {
  const support = await factory.probe(context);
  if (support.supported) return;
  const { name } = factory;
  const { reason } = support;
  const line = reason.includes(name) ? reason : `${name}: ${reason}`;
  const more = await offer();
  // What a kernel lacks it may lack for the offer as well.
  const isNew = more !== undefined && !more.endsWith(reason);
  throw new TsengineError('Unavailable', isNew ? `${line}; ${more}` : line);
}

/** The drivers whose layers a data root holds, in the order of preference. */
export function driversWithData(dataRoot: string): DriverName[] {
  return DRIVER_NAMES.filter((name) => holdsLayers(name, `${dataRoot}/${name}`));
}

/**
 * Which driver serves a data root: the one asked for; else the one whose layers it holds, an error when there are
 * several; else the first of overlay2, btrfs, zfs, vfs that its filesystem can serve. Changes nothing.
 */
export async function chooseDriver(choice: DriverChoice): Promise<DriverFactory> {
  if (choice.name !== undefined && choice.name !== '') return await driverFactory(choice.name);
  const present = driversWithData(choice.dataRoot);
  const [only, ...more] = present;
  if (more.length > 0) {
    throw new TsengineError(
      'InvalidParameter',
      `${choice.dataRoot} contains several valid graphdrivers: ${present.join(', ')}; Please cleanup or explicitly choose storage driver (-s <DRIVER>)`,
    );
  }
  if (only !== undefined) return await driverFactory(only);
  return await firstSupported(choice);
}

async function firstSupported(choice: DriverChoice): Promise<DriverFactory> {
  const reasons: string[] = [];
  for (const { name, onlyByName, load } of DRIVERS) {
    if (onlyByName) continue;
    const factory = await load();
    const support = await factory.probe(choice.context(name));
    if (support.supported) return factory;
    reasons.push(support.reason);
  }
  throw new TsengineError(
    'Unavailable',
    `no storage driver can serve ${choice.dataRoot}: ${reasons.join('; ')}`,
  );
}

/** Chooses a driver and opens it. */
export async function openDriver(choice: DriverChoice): Promise<GraphDriver> {
  const factory = await chooseDriver(choice);
  return await factory.open(choice.context(factory.name));
}
