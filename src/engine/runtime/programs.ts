import { accessSync, constants } from 'node:fs';

/** Where system programs are even when a caller's PATH does not say so (`su` without `-`, cron). */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The programs that serve as a container's init, by preference: Docker's own name, then Debian's packages. */
export const INIT_PROGRAMS: readonly string[] = ['docker-init', 'tini-static', 'tini', 'catatonit'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The directories in which programs are looked for: PATH, then the system's own. */
export function programPath(): string[] {
  const own = (process.env.PATH ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return [...new Set([...own, ...SYSTEM_DIRECTORIES])];
}

/** The path of the first of `names` that is installed; a name with a slash is a path itself. `undefined` when none is. */
export function findProgram(...names: readonly string[]): string | undefined {
  for (const name of names) {
    if (name.includes('/')) {
      if (isExecutable(name)) return name;
      continue;
    }
    const found = programPath().find((directory) => isExecutable(`${directory}/${name}`));
    if (found !== undefined) return `${found}/${name}`;
  }
  return undefined;
}
