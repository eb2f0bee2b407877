/** `-v` and `--tmpfs` of run and create. */

/** What the `-v` and `--tmpfs` flags of one command line come to, under the names of Docker's API. */
export interface VolumeFlags {
  /** `HostConfig.Binds`: `source:target[:mode]`, unchecked; the engine reads them. */
  readonly Binds: string[];
  /** `Config.Volumes`: paths of anonymous volumes. */
  readonly Volumes: Record<string, Record<string, never>>;
}

/**
 * Sorts `-v` values into binds and anonymous volumes: a value without a colon is the path of an anonymous volume.
 * Never fails; the engine says what is wrong with a specification. (The docker client takes `a:/c` for a path on
 * drive A and makes an anonymous volume of it; here it is a volume called `a`, which the engine refuses as too short.)
 */
export function parseVolumeFlags(values: readonly string[]): VolumeFlags {
  const binds = new Set<string>();
  const volumes: Record<string, Record<string, never>> = {};
  for (const value of values) {
    if (value === '') continue;
    if (value.includes(':')) binds.add(value);
    else volumes[value] = {};
  }
  return { Binds: [...binds], Volumes: volumes };
}

/** Reads `--tmpfs /path[:options]` values into `HostConfig.Tmpfs`: options by path, the last one of a path wins. */
export function parseTmpfsFlags(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const split = value.indexOf(':');
      return split < 0 ? [value, ''] : [value.slice(0, split), value.slice(split + 1)];
    }),
  );
}
