/**
 * The portable half of a container's configuration: Docker API v1.41 `Config`, as in the body of
 * `POST /containers/create`, in `docker inspect` (`.Config`), in `config.v2.json` (`.Config`) and in image configs.
 */
import * as z from 'zod/mini';
import {
  goBool,
  goInt,
  goMap,
  goString,
  goStrings,
  omitEmpty,
  omitEmptyBool,
  omitEmptyString,
  strSlice,
} from './go-json.ts';

/** A health check. Durations are integer nanoseconds; 0 and an absent key mean "as the image has it". */
export const healthConfigSchema = z.looseObject({
  Test: z.optional(goStrings()),
  Interval: z.optional(goInt()),
  Timeout: z.optional(goInt()),
  StartPeriod: z.optional(goInt()),
  Retries: z.optional(goInt()),
});

/** Reads a `Config` from JSON: absent keys become Go's zero values, unknown keys are kept. */
export const containerConfigSchema = z.looseObject({
  Hostname: goString(),
  Domainname: goString(),
  User: goString(),
  AttachStdin: goBool(),
  AttachStdout: goBool(),
  AttachStderr: goBool(),
  ExposedPorts: omitEmpty(z.record(z.string(), z.looseObject({}))),
  Tty: goBool(),
  OpenStdin: goBool(),
  StdinOnce: goBool(),
  Env: goStrings(),
  Cmd: strSlice(),
  Healthcheck: omitEmpty(healthConfigSchema),
  ArgsEscaped: omitEmptyBool(),
  Image: goString(),
  Volumes: goMap(z.looseObject({})),
  WorkingDir: goString(),
  Entrypoint: strSlice(),
  NetworkDisabled: omitEmptyBool(),
  MacAddress: omitEmptyString(),
  OnBuild: goStrings(),
  Labels: goMap(z.string()),
  StopSignal: omitEmptyString(),
  StopTimeout: omitEmpty(z.int()),
  Shell: omitEmpty(z.array(z.string())),
});

/** A container's portable configuration, complete: what `containerConfigSchema` returns. */
export type ContainerConfig = z.output<typeof containerConfigSchema>;

/** A health check's settings. */
export type HealthConfig = z.output<typeof healthConfigSchema>;

/**
 * What Docker 20.10.24 stores for `docker create IMAGE` when neither flag nor image sets anything. The hostname is the
 * first 12 characters of the container's ID, and is filled in by whoever makes the ID; `Image` is the reference as the
 * user wrote it.
 */
export function defaultConfig(): ContainerConfig {
  return containerConfigSchema.parse({ AttachStdout: true, AttachStderr: true, Labels: {} });
}
