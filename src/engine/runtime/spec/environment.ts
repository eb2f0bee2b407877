/** The environment, command and directory that a container's process starts with. */
import { posix } from 'node:path';
import type { ContainerConfig } from '../../api/container-config.ts';

/** The PATH of containers whose image names none. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The environment in Docker's order: PATH, HOSTNAME, with a terminal TERM, the variables of links, then those of
 * image and user, which replace an earlier one in its place. An entry without `=` takes one of the defaults away.
 * There is no HOME: the runtime adds it from the passwd file if nobody set it.
 */
export function processEnvironment(config: ContainerConfig, linkedEnv: readonly string[] = []): string[] {
  const defaults = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${config.Hostname}`];
  if (config.Tty) defaults.push('TERM=xterm');
  defaults.push(...linkedEnv);
  const result: (string | undefined)[] = [...defaults];
  const places = new Map(defaults.map((entry, index) => [entry.slice(0, entry.indexOf('=')), index]));
  for (const entry of config.Env ?? []) {
    const equals = entry.indexOf('=');
    const place = places.get(equals < 0 ? entry : entry.slice(0, equals));
    if (place !== undefined) result[place] = equals < 0 ? undefined : entry;
    else if (equals >= 0) result.push(entry);
  }
  return result.filter((entry) => entry !== undefined && entry !== '').map(String);
}

/** What to execute: entrypoint and command joined, parted as Docker stores them. Empty if neither names anything. */
export function commandOf(config: Pick<ContainerConfig, 'Entrypoint' | 'Cmd'>): {
  path: string;
  args: string[];
} {
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return { path, args };
}

/** The working directory, `/` by default, without `..` and trailing slashes. */
export function workingDirectory(config: Pick<ContainerConfig, 'WorkingDir'>): string {
  const path = posix.normalize(config.WorkingDir === '' ? '/' : config.WorkingDir);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
