/** What a driver can do on this machine, asked of the conformance suite. */
import { mkdtempSync } from 'node:fs';
import { resolve } from 'node:path';
import { CHECKS, type Check } from '../drivers/conformance/index.ts';
import type { DriverContext, GraphDriver } from '../drivers/driver.ts';
import { contextAt } from '../drivers/listing.ts';
import { existingFolder } from '../drivers/read-only.ts';
import { driverFactory } from '../drivers/registry.ts';
import { mustServeRoot } from '../engine/driver-stores.ts';
import { refuseNonDirectory, refuseSuspended } from '../engine/root.ts';
import { hasErrno, TsengineError } from '../errors.ts';
import { pathExists } from '../linux/files.ts';
import { MNT_DETACH, unmount } from '../linux/mount.ts';
import { findMountAt } from '../linux/mountinfo.ts';
import { removeTree } from '../linux/remove-tree.ts';
import { type CheckOptions, type CheckOutcome, runCheck, runChecks } from './checks.ts';
import { mountsBelow } from './matrix/backings.ts';
import { lackingAbilities } from './matrix/lacking.ts';
import { contextOn, makeSubject } from './matrix/subject.ts';

/** Removes all layers, children before their parents: only the driver knows what else they are than folders. */
async function removeAll(driver: GraphDriver): Promise<void> {
  for (let left = (await driver.list()).length, before = left + 1; left > 0 && left < before; ) {
    // Ids begin with a number that counts up, and what was made last has no children.
    for (const id of (await driver.list()).toSorted().reverse()) {
      await driver.remove(id).catch((error: unknown) => {
        if (!hasErrno(error, 'Conflict')) throw error;
      });
    }
    before = left;
    left = (await driver.list()).length;
  }
}

const LAST: Check = {
  name: 'all layers are removed in the end',
  run: async ({ driver }) => {
    await driver.cleanup();
    await removeAll(driver);
    // Once more: removing may have needed what the first one took away.
    await driver.cleanup();
  },
};

/** Which checks, and with what. */
export interface DriverCheckOptions extends Pick<CheckOptions, 'slow' | 'only' | 'signal'> {
  /** The engine's storage options. */
  readonly options?: DriverContext['options'];
  /** The exec root that goes with the place, for commands that a refusal suggests. */
  readonly execRoot?: string | undefined;
  /** Takes a line about where it checks, when that is another folder than the one that was named. */
  note?(line: string): void;
}

/**
 * Runs the suite over a driver in a folder of its own on the filesystem of `place` (or of the folder above it that is there),
 * and tells of each check. Fails with the driver's own reason where it cannot run. Whatever happens, nothing is left but for
 * a kill, which leaves a folder `.tsengine-check-…` there.
 */
export async function checkDriver(
  name: string,
  place: string,
  { slow, only, signal, options = [], execRoot, note }: DriverCheckOptions,
  each: (outcome: CheckOutcome) => void,
): Promise<void> {
  const factory = await driverFactory(name);
  refuseSuspended(resolve(place));
  refuseNonDirectory(place, 'data root');
  if (only !== undefined && !CHECKS.some((check) => only.test(check.name)))
    throw new TsengineError('InvalidParameter', `no check has a name that ${only} matches`);
  const roots = { dataRoot: place, execRoot };
  await mustServeRoot(roots, factory, { ...contextAt(factory.name, place), options });
  // A store that `driver setup` made for the driver is mounted where its layers are.
  const home = `${place}/${factory.name}`;
  const above = findMountAt(home) === undefined ? existingFolder(resolve(place)) : home;
  if (!pathExists(place))
    note?.(`${place} is not there: checking in ${above}, on whose file system it would be`);
  const path = mkdtempSync(`${above}/.tsengine-check-`);
  try {
    const context = contextOn(path, `${path}/run`, factory.name, [], options);
    await using subject = await makeSubject(context, factory.name, `${path}/scratch`);
    const lacking = subject.driver.capabilities.ownFilesystems === true ? [] : lackingAbilities(path);
    const chosen = { slow, lacking, ...(only && { only }), ...(signal && { signal }) };
    try {
      await runChecks(subject, chosen, each);
    } finally {
      let end = await runCheck(LAST, subject);
      // Ctrl-C ends the driver's own commands as well.
      if (end.state === 'failed' && signal?.aborted === true) end = await runCheck(LAST, subject);
      if (end.state === 'failed') each(end);
    }
  } finally {
    for (const point of mountsBelow(path).reverse()) unmount(point, MNT_DETACH);
    removeTree(path);
  }
}
