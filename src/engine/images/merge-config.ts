import type { ContainerConfig } from '../api/container-config.ts';

function isEmpty(value: object | null | undefined): boolean {
  return value === null || value === undefined || Object.keys(value).length === 0;
}

/** What one says, filled up with what the other says of other names. */
function mergeEnv(own: readonly string[] | null, base: readonly string[] | null): string[] | null {
  if (own === null || own.length === 0) return base === null ? null : [...base];
  const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? '';
  const names = new Set(own.map(nameOf));
  return [...own, ...(base ?? []).filter((entry) => !names.has(nameOf(entry)))];
}

function mergeHealth(
  own: ContainerConfig['Healthcheck'],
  base: ContainerConfig['Healthcheck'],
): ContainerConfig['Healthcheck'] {
  if (base === undefined) return own;
  if (own === undefined) return base;
  return {
    ...own,
    Test: isEmpty(own.Test) ? base.Test : own.Test,
    Interval: own.Interval || base.Interval,
    Timeout: own.Timeout || base.Timeout,
    StartPeriod: own.StartPeriod || base.StartPeriod,
    Retries: own.Retries || base.Retries,
  };
}

/**
 * Fills what a configuration leaves open from a base: a container's from its image, a commit's from its container. The
 * rules are Docker's: its own command comes without the base's entrypoint only if it has an entrypoint of its own.
 */
export function mergeConfig(own: ContainerConfig, base: ContainerConfig): ContainerConfig {
  const inheritsCommand = isEmpty(own.Entrypoint) && isEmpty(own.Cmd);
  return {
    ...own,
    User: own.User || base.User,
    ...(isEmpty(own.ExposedPorts) && isEmpty(base.ExposedPorts)
      ? {}
      : { ExposedPorts: { ...base.ExposedPorts, ...own.ExposedPorts } }),
    Env: mergeEnv(own.Env, base.Env),
    Labels: { ...base.Labels, ...own.Labels },
    ...(inheritsCommand ? { Cmd: base.Cmd, ArgsEscaped: base.ArgsEscaped } : {}),
    // An entrypoint that was emptied on purpose (`[]`) stays empty.
    Entrypoint: isEmpty(own.Entrypoint) && own.Entrypoint === null ? base.Entrypoint : own.Entrypoint,
    Healthcheck: mergeHealth(own.Healthcheck, base.Healthcheck),
    WorkingDir: own.WorkingDir || base.WorkingDir,
    Volumes: isEmpty(own.Volumes) ? base.Volumes : { ...base.Volumes, ...own.Volumes },
    StopSignal: own.StopSignal || base.StopSignal,
  };
}
