/** All workloads, in the order in which they run. */
import type { Workload } from '../bench.ts';
import { changes } from './changes.ts';
import { createOnVfs } from './create-vfs.ts';
import { harness } from './harness.ts';
import { largeDiff, largeDiffOnZfs } from './large-diff.ts';
import { layerCount } from './layer-count.ts';
import { listing } from './listing.ts';
import { loadGzip, loadLayers, loadPlain, loadZstd } from './load.ts';
import { memory } from './memory.ts';
import { resident } from './resident.ts';
import { runDetached, runOnBtrfs, runOnOthers, runRemoved } from './run.ts';
import { startup } from './startup.ts';
import { unpack } from './unpack.ts';

const all: readonly Workload[] = [
  harness,
  startup,
  runRemoved,
  runDetached,
  loadPlain,
  loadGzip,
  loadZstd,
  loadLayers,
  changes,
  listing,
  runOnBtrfs,
  ...runOnOthers,
  unpack,
  createOnVfs,
  largeDiff,
  largeDiffOnZfs,
  layerCount,
  memory,
  resident,
];

/**
 * The workloads of these names, and that of the harness, without which no other says much; all without names. Throws on one that
 * is not there, with those that are.
 */
export function choose(names: readonly string[]): readonly Workload[] {
  const unknown = names.filter((name) => !all.some((workload) => workload.name === name));
  if (unknown.length > 0) {
    const known = all.map(({ name }) => name).join(', ');
    throw new Error(`there is no workload ${unknown.join(', ')}: --only takes ${known}`);
  }
  return names.length === 0 ? all : all.filter((one) => one === harness || names.includes(one.name));
}
