/** What the drivers can do on this machine, asked of their probes. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { errorMessage, hasErrno } from '../errors.ts';
import { suspendedPoolOf, suspendedText } from '../linux/suspended-pool.ts';
import type { DriverContext, DriverName, Support } from './driver.ts';
import { DRIVER_NAMES, driverFactory } from './registry.ts';

/** Whether a driver can serve a data root here, in a word and a line. */
export interface DriverListing {
  readonly name: DriverName;
  readonly state: 'supported' | 'unsupported' | 'unknown';
  /** Why not, why nobody knows, or what serves and what it does without. */
  readonly notes: string;
}

/** What each of the six says of a data root, which need not be there. Nothing is changed. */
export async function listDrivers(dataRoot: string): Promise<readonly DriverListing[]> {
  const pool = suspendedPoolOf(resolve(dataRoot));
  // Whoever looks there waits for its disks.
  if (pool !== undefined)
    return DRIVER_NAMES.map((name) => ({ name, state: 'unsupported', notes: suspendedText(pool) }));
  return await Promise.all(DRIVER_NAMES.map((name) => listed(name, dataRoot)));
}

async function listed(name: DriverName, dataRoot: string): Promise<DriverListing> {
  let support: Support;
  try {
    support = await (await driverFactory(name)).probe(contextAt(name, dataRoot));
  } catch (error) {
    if (hasErrno(error, 'EACCES', 'EPERM'))
      return { name, state: 'unknown', notes: `${errorMessage(error)}: ask as root` };
    return { name, state: 'unsupported', notes: errorMessage(error) };
  }
  return support.supported
    ? { name, state: 'supported', notes: [support.by ?? [], support.notes ?? []].flat().join('; ') }
    : { name, state: 'unsupported', notes: support.reason };
}

/** What a driver is asked with whether it can serve a data root. */
export function contextAt(name: DriverName, dataRoot: string): DriverContext {
  const runHome = `${tmpdir()}/tsengine-driver/${name}`;
  return { home: `${dataRoot}/${name}`, runHome, options: [], warn: () => undefined };
}
