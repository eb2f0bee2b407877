/** What the drivers can do on this machine, asked of their probes. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { errorMessage, hasErrno } from '../errors.ts';
import { suspendedPoolOf, suspendedText } from '../linux/suspended-pool.ts';
import type { DriverContext, DriverFactory, DriverName, Support } from './driver.ts';
import type { StoreFolder } from './made-store.ts';
import { offerOfStore, type StoreState, storeState } from './made-stores.ts';
import { DRIVER_NAMES, driverFactory } from './registry.ts';

/** Whether a driver can serve a data root here, in a word and a line. */
export interface DriverListing {
  readonly name: DriverName;
  readonly state: 'supported' | 'unsupported' | 'unknown';
  /** Why not, why nobody knows, or what serves and what it does without. */
  readonly notes: string;
  /** Bytes of the store that `driver setup` made for it, where it has one. */
  readonly storeSize?: number;
}

/** What each of the six says of a data root, which need not be there, and of its stores. Nothing is changed. */
export async function listDrivers(dataRoot: string, stores: StoreFolder): Promise<readonly DriverListing[]> {
  const pool = suspendedPoolOf(resolve(dataRoot));
  // Whoever looks there waits for its disks.
  if (pool !== undefined)
    return DRIVER_NAMES.map((name) => ({ name, state: 'unsupported', notes: suspendedText(pool) }));
  return await Promise.all(DRIVER_NAMES.map((name) => listed(name, dataRoot, stores)));
}

async function listed(name: DriverName, dataRoot: string, stores: StoreFolder): Promise<DriverListing> {
  const factory = await driverFactory(name);
  let store: StoreState | undefined;
  let support: Support;
  try {
    store = await storeState(stores, factory);
    support = await supportOf(factory, store, dataRoot);
  } catch (error) {
    if (hasErrno(error, 'EACCES', 'EPERM'))
      return { name, state: 'unknown', notes: `${errorMessage(error)}: ask as root` };
    return { name, state: 'unsupported', notes: errorMessage(error) };
  }
  const size = store === undefined ? {} : { storeSize: store.size };
  if (support.supported) {
    const notes = [store?.note ?? [], support.by ?? [], support.notes ?? []].flat().join('; ');
    return { name, state: 'supported', notes, ...size };
  }
  const { reason } = support;
  const offer = store === undefined ? await offerOfStore(stores, factory) : undefined;
  // A kernel that lacks something lacks it for a store as well.
  const isNew = offer !== undefined && !offer.endsWith(reason);
  return { name, state: 'unsupported', notes: isNew ? `${reason}; ${offer}` : reason, ...size };
}

/** A store that is not attached yet counts as what it will be: the driver's own look is at what is below it. */
async function supportOf(
  factory: DriverFactory,
  store: StoreState | undefined,
  dataRoot: string,
): Promise<Support> {
  if (store?.trouble !== undefined) return { supported: false, reason: store.trouble };
  if (store?.isAttached === false) return { supported: true };
  return await factory.probe(contextAt(factory.name, dataRoot));
}

/** What a driver is asked with whether it can serve a data root. */
export function contextAt(name: DriverName, dataRoot: string): DriverContext {
  const runHome = `${tmpdir()}/tsengine-driver/${name}`;
  return { home: `${dataRoot}/${name}`, runHome, options: [], warn: () => undefined };
}
