import type { ContainerConfig, HealthConfig } from '../api/container-config.ts';

function isEmpty(list: readonly unknown[] | null | undefined): boolean {
  return list === null || list === undefined || list.length === 0;
}

function variableName(entry: string): string {
  const equals = entry.indexOf('=');
  return equals < 0 ? entry : entry.slice(0, equals);
}

/** The user's variables, then those of the image that the user did not set. */
function mergeEnv(user: string[] | null, image: string[] | null): string[] | null {
  if (user === null || user.length === 0) return image;
  const set = new Set(user.map(variableName));
  return [...user, ...(image ?? []).filter((entry) => !set.has(variableName(entry)))];
}

function mergeHealth(
  user: HealthConfig | undefined,
  image: HealthConfig | undefined,
): HealthConfig | undefined {
  if (user === undefined || image === undefined) return user ?? image;
  return {
    ...user,
    Test: isEmpty(user.Test) ? image.Test : user.Test,
    Interval: user.Interval || image.Interval,
    Timeout: user.Timeout || image.Timeout,
    StartPeriod: user.StartPeriod || image.StartPeriod,
    Retries: user.Retries || image.Retries,
  };
}

/**
 * What a container of an image starts from: the user's settings, and the image's where the user has none. An entrypoint
 * of the user's (an empty one too) takes away the image's command, and `['']` stands for none at all.
 */
export function mergeConfig(user: ContainerConfig, image: ContainerConfig | undefined): ContainerConfig {
  const merged = image === undefined ? user : mergeWithImage(user, image);
  const [first, ...rest] = merged.Entrypoint ?? [];
  const Entrypoint = first === '' && rest.length === 0 ? null : merged.Entrypoint;
  return { ...merged, Entrypoint };
}

function mergeWithImage(user: ContainerConfig, image: ContainerConfig): ContainerConfig {
  const ownEntrypoint = !isEmpty(user.Entrypoint);
  return {
    ...user,
    User: user.User || image.User,
    ExposedPorts:
      image.ExposedPorts === undefined ? user.ExposedPorts : { ...image.ExposedPorts, ...user.ExposedPorts },
    Env: mergeEnv(user.Env, image.Env),
    Labels: { ...image.Labels, ...user.Labels },
    Cmd: !ownEntrypoint && isEmpty(user.Cmd) ? image.Cmd : user.Cmd,
    Entrypoint: user.Entrypoint === null ? image.Entrypoint : user.Entrypoint,
    Healthcheck: mergeHealth(user.Healthcheck, image.Healthcheck),
    WorkingDir: user.WorkingDir || image.WorkingDir,
    Volumes: isEmpty(Object.keys(user.Volumes ?? {})) ? image.Volumes : { ...user.Volumes, ...image.Volumes },
    StopSignal: user.StopSignal || image.StopSignal,
  };
}
