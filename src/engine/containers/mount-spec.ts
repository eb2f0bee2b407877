/** What `HostConfig.Binds`, `.Mounts` and `.Tmpfs` ask for, checked with Docker's rules and in its words. */
import { posix } from 'node:path';
import { errorMessage, TsengineError } from '../../errors.ts';
import type { Mount } from '../api/host-config.ts';
import type { MountPoint } from '../api/mount-point.ts';

const PROPAGATIONS = ['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared'];

/** The words of a bind's mode field, of which each group may occur once. */
const MODE_GROUPS: readonly (readonly string[])[] = [
  ['rw', 'ro'],
  ['z', 'Z'],
  PROPAGATIONS,
  ['nocopy'],
  ['consistent', 'cached', 'delegated'],
];

/**
 * Reads one of `HostConfig.Binds`: `/host:/path[:mode]` or `volume:/path[:mode]`. The source of a bind need not exist:
 * it is made as a directory when the container starts. Throws InvalidParameter: `invalid volume specification: '…'`,
 * `invalid mode: …`.
 */
export function parseBind(spec: string): MountPoint {
  const invalid = `invalid volume specification: '${spec}'`;
  const parts = spec.split(':');
  const [source = '', target = '', mode = ''] = parts;
  if (source === '' || parts.length > 3) fail(invalid);
  // `/foo:ro` is a mode on an anonymous volume, which there is not.
  if (parts.length === 2 && isMode(target)) fail(invalid);
  if (!isMode(mode)) fail(`invalid mode: ${mode}`);
  const words = mode.split(',');
  const propagation = words.find((word) => PROPAGATIONS.includes(word));
  const anonymous = parts.length === 1;
  const mount: Mount = {
    Type: !anonymous && posix.isAbsolute(source) ? 'bind' : 'volume',
    Source: anonymous ? '' : source,
    Target: anonymous ? source : target,
    ReadOnly: words.includes('ro'),
    Consistency: undefined,
    BindOptions:
      propagation === undefined ? undefined : { Propagation: propagation, NonRecursive: undefined },
    VolumeOptions: words.includes('nocopy')
      ? { NoCopy: true, Labels: undefined, DriverConfig: undefined }
      : undefined,
    TmpfsOptions: undefined,
  };
  try {
    return { ...checkMount(mount), Relabel: mode === '' ? undefined : mode, SkipMountpointCreation: false };
  } catch (error) {
    return fail(`${invalid}: ${errorMessage(error)}`);
  }
}

/**
 * Checks one of `HostConfig.Mounts` and gives the mount point that it makes. Whether the source of a bind exists is
 * left to the caller (`bindSourceMissing` has the error). A volume without a name gets an empty one, to be drawn.
 * Throws InvalidParameter `invalid mount config for type "bind": …`.
 */
export function checkMount(mount: Mount): MountPoint {
  const { Type: type = '', Source: source = '', Target: target = '' } = mount;
  const bad = (reason: string) => fail(`invalid mount config for type "${type}": ${reason}`);
  const reason = mistake(mount, type, source, target);
  if (reason !== undefined) bad(reason);
  const bind = type === 'bind';
  return {
    Source: bind ? clean(source) : '',
    Destination: clean(target),
    RW: mount.ReadOnly !== true,
    Name: type === 'volume' ? source : '',
    Driver: type === 'volume' ? (mount.VolumeOptions?.DriverConfig?.Name ?? '') : '',
    Type: type,
    Relabel: undefined,
    Propagation: bind ? (mount.BindOptions?.Propagation ?? 'rprivate') : undefined,
    Named: undefined,
    ID: undefined,
    Spec: mount,
    SkipMountpointCreation: bind,
  };
}

/** The error for a `--mount type=bind` whose source does not exist. */
export function bindSourceMissing(source: string): TsengineError {
  const message = `invalid mount config for type "bind": bind source path does not exist: ${source}`;
  return new TsengineError('InvalidParameter', message);
}

/** Throws InvalidParameter unless a path of `HostConfig.Tmpfs` can be mounted on. */
export function checkTmpfsTarget(path: string): void {
  const reason = targetMistake(path);
  if (reason !== undefined) fail(reason);
}

/** Throws InvalidParameter unless `name` can name a volume of the `local` driver. */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    fail(`create ${name}: volume name is too short, names should be at least two alphanumeric characters`);
  }
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return;
  fail(
    `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  );
}

function mistake(mount: Mount, type: string, source: string, target: string): string | undefined {
  if (target === '') return 'field Target must not be empty';
  const wrongTarget = targetMistake(target);
  if (wrongTarget !== undefined) return wrongTarget;
  switch (type) {
    case 'bind':
      return bindMistake(mount, source);
    case 'volume':
      if (mount.BindOptions !== undefined) return 'field BindOptions must not be specified';
      if (source === '' && mount.ReadOnly === true)
        return 'must not set ReadOnly mode when using anonymous volumes';
      return undefined;
    case 'tmpfs':
      if (mount.BindOptions !== undefined) return 'field BindOptions must not be specified';
      return source === '' ? undefined : 'field Source must not be specified';
    default:
      return 'mount type unknown';
  }
}

function bindMistake(mount: Mount, source: string): string | undefined {
  const propagation = mount.BindOptions?.Propagation ?? '';
  if (source === '') return 'field Source must not be empty';
  if (propagation !== '' && !PROPAGATIONS.includes(propagation))
    return `invalid propagation mode: ${propagation}`;
  if (mount.VolumeOptions !== undefined) return 'field VolumeOptions must not be specified';
  return absoluteMistake(source);
}

function targetMistake(path: string): string | undefined {
  return path !== '' && clean(path) === '/'
    ? "invalid specification: destination can't be '/'"
    : absoluteMistake(path);
}

function absoluteMistake(path: string): string | undefined {
  return posix.isAbsolute(path) ? undefined : `invalid mount path: '${path}' mount path must be absolute`;
}

/** Go's path.Clean, which leaves no slash at the end. */
function clean(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

function isMode(mode: string): boolean {
  if (mode === '') return true;
  const words = mode.split(',');
  const known = words.every((word) => MODE_GROUPS.some((group) => group.includes(word)));
  return known && MODE_GROUPS.every((group) => words.filter((word) => group.includes(word)).length <= 1);
}

function fail(message: string): never {
  throw new TsengineError('InvalidParameter', message);
}
