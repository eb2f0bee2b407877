/**
 * A resolved mount of a container, as Docker keeps it in `config.v2.json` under `MountPoints` (keyed by destination):
 * what `-v`, `--mount` and volumes come to once sources are known.
 */
import * as z from 'zod/mini';
import { goBool, goString, goStruct, omitEmptyBool, omitEmptyString } from './go-json.ts';
import { mountSchema } from './host-config.ts';

/** Reads one mount point; unknown keys are kept. */
export const mountPointSchema = z.looseObject({
  /** The host's path; empty for a volume, whose path comes from its driver, and for tmpfs. */
  Source: goString(),
  Destination: goString(),
  RW: goBool(),
  /** The volume's name; empty for binds and tmpfs. */
  Name: goString(),
  Driver: goString(),
  /** `bind`, `volume` or `tmpfs`. */
  Type: goString(),
  /** The mode field of `-v` as written, such as `ro,z`; `z` on named volumes. */
  Relabel: omitEmptyString(),
  Propagation: omitEmptyString(),
  Named: omitEmptyBool(),
  ID: omitEmptyString(),
  /** What the user asked for. */
  Spec: goStruct(mountSchema),
  /** Whether a missing source of a bind is an error (`--mount`, true) or is made as a directory (`-v`, false). */
  SkipMountpointCreation: goBool(),
});

/** A resolved mount of a container. */
export type MountPoint = z.output<typeof mountPointSchema>;
