/** Cgroups of a test's own: a parent for its containers, below which nothing may be left of those that do not run. */
import { randomBytes } from 'node:crypto';
import { readdirSync, rmdirSync } from 'node:fs';
import { readHostFacts } from '../../src/engine/runtime/spec/host-facts.ts';

/** A parent that nobody else has, as this machine wants it: systemd takes the name of a slice, elsewhere it is a path. */
export function ownCgroup(prefix = 'tsengine-test'): string {
  const name = `${prefix}-${randomBytes(4).toString('hex')}`;
  return readHostFacts().cgroupDriver === 'systemd' ? `${name.replaceAll('-', '_')}.slice` : `/${name}`;
}

/** Where hierarchies are mounted: one on cgroup v2, one for each controller on v1, both on hybrid machines. */
function hierarchies(): string[] {
  const root = '/sys/fs/cgroup';
  return [root, ...readdirSync(root).map((name) => `${root}/${name}`)];
}

/** Where a parent may be. A slice without a dash is in no other. */
function placesOf(parent: string): string[] {
  return hierarchies().map((root) => `${root}/${parent.replace(/^\//, '')}`);
}

function foldersIn(path: string): string[] {
  try {
    const children = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return children.map((entry) => `${path}/${entry.name}`);
  } catch {
    return [];
  }
}

/** The containers that have a cgroup below `parent`, in whichever hierarchy: `ID`, or `PREFIX-ID.scope` where systemd makes it. */
export function containersWithCgroup(parent: string): Set<string> {
  const ids = placesOf(parent)
    .flatMap(foldersIn)
    .map((path) => /\/(?:[^/]*-)?([0-9a-f]{64})(?:\.scope)?$/.exec(path)?.[1]);
  return new Set(ids.filter((id) => id !== undefined));
}

/** The cgroups of a container below `parent`, with those in them. */
export function cgroupsOfContainer(parent: string, id: string): readonly string[] {
  const withAll = (path: string): string[] => [path, ...foldersIn(path).flatMap(withAll)];
  return placesOf(parent)
    .flatMap(foldersIn)
    .filter((path) => path.slice(path.lastIndexOf('/')).includes(id))
    .flatMap(withAll);
}

/** Whether there is a cgroup of that name still. */
export function isCgroupThere(parent: string): boolean {
  return hierarchies().some((root) => foldersIn(root).some((path) => placesOf(parent).includes(path)));
}

/** Removes `parent` with all below it, as far as no process is in there. */
export function removeCgroups(parent: string): void {
  const below = (path: string): string[] => [...foldersIn(path).flatMap(below), path];
  for (const path of placesOf(parent).flatMap(below)) {
    try {
      rmdirSync(path);
    } catch {
      // It is not there, or something is in it, and the test has failed already.
    }
  }
}
