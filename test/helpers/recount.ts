/**
 * An independent recount of a data root: everything that is on disk and mounted, read with plain file calls and none of
 * the engine's code, and checked against each other. To be called while no command is at work on the root; containers may
 * run. What belongs to a container that runs (its mounts, their counts, its folders) is expected, not tolerated.
 */
import assert from 'node:assert/strict';
import { containersWithCgroup } from './cgroups.ts';
import { type CountedContainer, countContainers, countVolumes } from './recount/containers.ts';
import { Problems } from './recount/files.ts';
import { type CountedImage, countImages, countTags } from './recount/images.ts';
import { type CountedMount, checkDriver, checkOwners, countLayers, countMounts } from './recount/layers.ts';
import { checkRuns, checkState } from './recount/run.ts';

export type { CountedContainer } from './recount/containers.ts';
export { type CountedImage, chainIds } from './recount/images.ts';
export { monitored, mountsBelow } from './recount/run.ts';

/** What was counted, and what is wrong with it. */
export interface Recount {
  /** By `sha256:…`. */
  readonly images: ReadonlyMap<string, CountedImage>;
  /** Names as `repositories.json` has them (`debian:12`), and the images they point to. */
  readonly tags: ReadonlyMap<string, string>;
  /** Chain IDs on record. */
  readonly layers: ReadonlySet<string>;
  readonly containers: ReadonlyMap<string, CountedContainer>;
  readonly volumes: readonly string[];
  /** Anonymous volumes of no container. `rm` without `-v` leaves such, as Docker does. */
  readonly ownerlessVolumes: readonly string[];
  /** What breaks a rule, one line each; none on a sound root. */
  readonly problems: readonly string[];
}

function checkContainers(
  containers: ReadonlyMap<string, CountedContainer>,
  mounts: ReadonlyMap<string, CountedMount>,
  problems: Problems,
): void {
  for (const id of containers.keys()) problems.expect(mounts.has(id), `container ${id} has no layer`);
  for (const id of mounts.keys())
    problems.expect(containers.has(id), `the layer of container ${id} is left over`);
}

/** Counts. `driver` is `overlay2`, `vfs` or `btrfs`. Cgroups are looked at where the root's containers have a parent of their own. */
export function recount(dataRoot: string, execRoot: string, driver: string, cgroupParent?: string): Recount {
  const problems = new Problems();
  const imageDir = `${dataRoot}/image/${driver}`;
  const tags = countTags(imageDir, problems);
  const images = countImages(imageDir, tags, problems);
  const layers = countLayers(dataRoot, driver, problems);
  const mounts = countMounts(imageDir, problems);
  checkOwners(layers, images.values(), mounts.values(), problems);
  checkDriver(dataRoot, driver, layers, [...mounts.values()], problems);
  const containers = countContainers(dataRoot, driver, problems);
  checkContainers(containers, mounts, problems);
  const volumes = countVolumes(dataRoot, containers, problems);
  checkRuns(dataRoot, execRoot, driver, containers, mounts, problems);
  checkState(dataRoot, problems);
  for (const id of cgroupParent === undefined ? [] : containersWithCgroup(cgroupParent)) {
    const isRunning = containers.get(id)?.running === true;
    problems.expect(isRunning, `a cgroup of ${id} is left over`);
  }
  const owned = new Set([...containers.values()].flatMap((container) => container.volumes));
  return {
    images,
    tags,
    layers: new Set(layers.keys()),
    containers,
    volumes,
    ownerlessVolumes: volumes.filter((name) => /^[0-9a-f]{64}$/.test(name) && !owned.has(name)),
    problems: problems.list,
  };
}

/** Counts, and fails with all that is wrong. `what` says when it was counted. */
export function assertSound(dataRoot: string, execRoot: string, driver: string, what = ''): Recount {
  const counted = recount(dataRoot, execRoot, driver);
  assert.deepEqual(counted.problems, [], what);
  return counted;
}
