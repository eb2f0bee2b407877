/** overlay2, as the registry knows it. */

import { dirname } from 'node:path';
import { TsengineError } from '../../errors.ts';
import { makeDirectories, makeDirectory, pathExists } from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { holdsLayers } from '../data.ts';
import type { DriverContext, DriverFactory, GraphDriver, Support } from '../driver.ts';
import { LayerQuotas } from '../layer-quotas.ts';
import { MountCounter } from '../mount-counter.ts';
import { existingFolder, refusalOfReadOnly } from '../read-only.ts';
import { Staging } from '../staging.ts';
import { sweepViews } from '../view.ts';
import { Overlay2Driver } from './driver.ts';
import { Layout } from './layout.ts';
import { checkDefaultSize, readEngineOptions } from './options.ts';
import { type Abilities, type ProbeResult, probeOverlay } from './probe.ts';
import { cachedAbilities } from './probe-cache.ts';

/** Runs the probe in a new folder, which is removed again. */
function probeIn(folder: string): ProbeResult {
  makeDirectory(folder, 0o700);
  try {
    return probeOverlay(folder);
  } finally {
    discard(folder);
  }
}

/** Removes a folder of ours, with what may be mounted in it after a kill. */
function discard(folder: string): void {
  try {
    unmount(`${folder}/merged`, MNT_DETACH);
  } catch {
    // Nothing is mounted there, nearly always.
  }
  removeTree(folder);
}

async function probe(context: DriverContext): Promise<Support> {
  readEngineOptions(context);
  const refusal = refusalOfReadOnly(context.home);
  if (refusal !== undefined) return refusal;
  const result = probeIn(`${existingFolder(context.home)}/.tsengine-probe-${process.pid}`);
  if ('reason' in result) return { supported: false, reason: result.reason };
  const { notNative } = result.abilities;
  return notNative === ''
    ? { supported: true }
    : { supported: true, notes: [`no native diff: ${notNative}`] };
}

async function open(context: DriverContext): Promise<GraphDriver> {
  const defaultSize = readEngineOptions(context);
  if (context.readOnly === true) return (await import('./read-only.ts')).readOnlyOverlay2(context);
  const layout = new Layout(context.home);
  const fresh = !pathExists(context.home);
  if (fresh) makeDirectories(dirname(context.home), 0o710);
  layout.make();
  const staging = new Staging(context.home);
  const quotas = new LayerQuotas(context.home, staging);
  // The run folder goes with the machine's memory: without one, this is the first command since the machine was started.
  if (!fresh && !pathExists(context.runHome)) layout.removeMountPoints();
  let abilities: Abilities;
  try {
    abilities = await abilitiesOf(context, staging);
    checkDefaultSize(defaultSize, quotas);
  } catch (error) {
    // A filesystem that cannot hold layers is left as it was found.
    if (fresh) {
      staging.unmake();
      layout.unmake();
    }
    throw error;
  }
  staging.sweep(
    (path) => {
      layout.dropLink(path);
      discard(path);
    },
    (message) => context.warn(message),
  );
  new MountCounter(context.runHome).sweep();
  sweepViews(context.runHome);
  return new Overlay2Driver({ context, layout, staging, abilities, quotas, defaultSize });
}

async function abilitiesOf(context: DriverContext, staging: Staging): Promise<Abilities> {
  const result = await cachedAbilities(context.home, context.runHome, async () => {
    using _held = await staging.hold();
    return probeIn(staging.name('probe'));
  });
  if ('reason' in result) throw new TsengineError('Unavailable', result.reason);
  return result.abilities;
}

/** Docker's overlay2: layers as directories that overlayfs lays over each other. */
export const overlay2Factory: DriverFactory = {
  name: 'overlay2',
  probe,
  hasData: (home) => holdsLayers('overlay2', home),
  open,
};
