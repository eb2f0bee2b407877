/** Cgroups of a test's own: a parent for its containers, below which nothing may be left of those that do not run. */
import { readdirSync, rmdirSync } from 'node:fs';

/** Where hierarchies are mounted: one on cgroup v2, one for each controller on v1, both on hybrid machines. */
function hierarchies(): string[] {
  const root = '/sys/fs/cgroup';
  return [root, ...readdirSync(root).map((name) => `${root}/${name}`)];
}

function foldersIn(path: string): string[] {
  try {
    const children = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return children.map((entry) => `${path}/${entry.name}`);
  } catch {
    return [];
  }
}

/** The containers that have a cgroup below `parent`, in whichever hierarchy. */
export function containersWithCgroup(parent: string): Set<string> {
  const names = hierarchies()
    .flatMap((root) => foldersIn(`${root}${parent}`))
    .map((path) => path.slice(path.lastIndexOf('/') + 1));
  return new Set(names.filter((name) => /^[0-9a-f]{64}$/.test(name)));
}

/** Removes `parent` with all below it, as far as no process is in there. */
export function removeCgroups(parent: string): void {
  const below = (path: string): string[] => [...foldersIn(path).flatMap(below), path];
  for (const path of hierarchies().flatMap((root) => below(`${root}${parent}`))) {
    try {
      rmdirSync(path);
    } catch {
      // It is not there, or something is in it, and the test has failed already.
    }
  }
}
