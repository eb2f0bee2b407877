/** `-v`, `--mount` and `--tmpfs` as a container's mount points: parsed, checked and made complete, without touching a disk. */
import { posix } from 'node:path';
import { TsengineError } from '../../../errors.ts';
import type { HostConfig, Mount } from '../../api/host-config.ts';
import { type MountPoint, mountPointSchema } from '../../api/mount-point.ts';
import { PROPAGATION_MODES, pathsTouch } from './propagation.ts';

const invalid = (message: string) => new TsengineError('InvalidParameter', message);

/** The words of a `-v` mode by kind; of each kind at most one may be there. */
const MODE_WORDS: readonly (readonly string[])[] = [
  ['rw', 'ro'],
  ['z', 'Z'],
  PROPAGATION_MODES,
  ['nocopy'],
  ['consistent', 'cached', 'delegated', 'default'],
];

function isMode(mode: string): boolean {
  if (mode === '') return true;
  const kinds = mode.split(',').map((word) => MODE_WORDS.findIndex((words) => words.includes(word)));
  return !kinds.includes(-1) && new Set(kinds).size === kinds.length;
}

/** Splits `[SOURCE:]TARGET[:MODE]`. Throws `InvalidParameter` in Docker's words. */
function splitBind(bind: string): { source: string; target: string; mode: string } {
  const parts = bind.split(':');
  const [first = '', second, mode = ''] = parts;
  if (
    parts.length > 3 ||
    first === '' ||
    (second !== undefined && parts.length === 2 && second !== '' && isMode(second))
  ) {
    throw invalid(`invalid volume specification: '${bind}'`);
  }
  if (!isMode(mode)) throw invalid(`invalid mode: ${mode}`);
  return second === undefined ? { source: '', target: first, mode } : { source: first, target: second, mode };
}

/** One `-v` in the form of a `--mount`. */
function bindSpec(bind: string): { spec: Mount; mode: string } {
  const { source, target, mode } = splitBind(bind);
  const words = mode === '' ? [] : mode.split(',');
  const propagation = words.find((word) => PROPAGATION_MODES.includes(word));
  const spec: Mount = {
    Type: source.startsWith('/') ? 'bind' : 'volume',
    ...(source !== '' && { Source: source }),
    Target: target,
    ...(words.includes('ro') && { ReadOnly: true }),
    ...(propagation !== undefined && { BindOptions: { Propagation: propagation } }),
    ...(words.includes('nocopy') && { VolumeOptions: { NoCopy: true } }),
  };
  return { spec, mode };
}

function checkTarget(target: string): void {
  if (target === '') throw invalid('field Target must not be empty');
  checkDestination(target);
}

function checkDestination(target: string): void {
  if (posix.normalize(target) === '/') throw invalid("invalid specification: destination can't be '/'");
  if (!target.startsWith('/')) throw invalid(`invalid mount path: '${target}' mount path must be absolute`);
}

function checkBind(spec: Mount, sourceExists: ((path: string) => boolean) | undefined): void {
  const source = spec.Source ?? '';
  const mode = spec.BindOptions?.Propagation ?? '';
  if (source === '') throw invalid('field Source must not be empty');
  if (mode !== '' && !PROPAGATION_MODES.includes(mode)) throw invalid(`invalid propagation mode: ${mode}`);
  if (spec.VolumeOptions !== undefined) throw invalid('field VolumeOptions must not be specified');
  if (!source.startsWith('/')) throw invalid(`invalid mount path: '${source}' mount path must be absolute`);
  if (sourceExists?.(source) === false) throw invalid(`bind source path does not exist: ${source}`);
}

function checkByType(spec: Mount, sourceExists: ((path: string) => boolean) | undefined): void {
  switch (spec.Type) {
    case 'bind':
      checkBind(spec, sourceExists);
      break;
    case 'volume':
      if (spec.BindOptions !== undefined) throw invalid('field BindOptions must not be specified');
      if ((spec.Source ?? '') === '' && spec.ReadOnly === true)
        throw invalid('must not set ReadOnly mode when using anonymous volumes');
      break;
    case 'tmpfs':
      if ((spec.Source ?? '') !== '') throw invalid('field Source must not be specified');
      break;
    default:
      throw invalid('mount type unknown');
  }
}

/** Checks one mount. Throws `InvalidParameter` with Docker's `invalid mount config for type "bind": …`. */
function checkMount(spec: Mount, sourceExists?: (path: string) => boolean): void {
  try {
    checkTarget(spec.Target ?? '');
    checkByType(spec, sourceExists);
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    throw invalid(`invalid mount config for type ${JSON.stringify(spec.Type ?? '')}: ${error.message}`);
  }
}

function trimSlash(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** Propagation of a checked bind: the asked one; for binds of the data root `rslave`, so that its mounts can go away. */
function bindPropagation(spec: Mount, dataRoot: string): string {
  const asked = spec.BindOptions?.Propagation ?? '';
  const source = spec.Source ?? '';
  if (!pathsTouch(source, dataRoot)) return asked === '' ? 'rprivate' : asked;
  if (asked === '') return 'rslave';
  if (asked === 'rslave' || asked === 'rshared') return asked;
  const words = [
    `daemon root: ${JSON.stringify(dataRoot)}`,
    `bind mount source: ${JSON.stringify(source)}`,
    `propagation: ${JSON.stringify(asked)}`,
  ];
  throw invalid(
    'invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the ' +
      `daemon root, ${words.join(', ')}`,
  );
}

function pointOf(spec: Mount, mode: string, dataRoot: string): MountPoint {
  const type = spec.Type ?? '';
  return mountPointSchema.parse({
    Source: type === 'bind' ? trimSlash(spec.Source ?? '') : '',
    Destination: trimSlash(spec.Target ?? ''),
    RW: spec.ReadOnly !== true,
    Name: type === 'volume' ? (spec.Source ?? '') : '',
    Driver: type === 'volume' ? (spec.VolumeOptions?.DriverConfig?.Name ?? '') : '',
    Type: type,
    ...(mode !== '' && { Relabel: mode }),
    ...(type === 'bind' && { Propagation: bindPropagation(spec, dataRoot) }),
    Spec: spec,
  });
}

/** Parses one `-v`. Throws `InvalidParameter` in Docker's words. */
export function parseBind(bind: string, dataRoot: string): MountPoint {
  const { spec, mode } = bindSpec(bind);
  try {
    checkMount(spec);
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    throw invalid(`invalid volume specification: '${bind}': ${error.message}`);
  }
  return pointOf(spec, mode, dataRoot);
}

/**
 * The mount points of a HostConfig's `Binds` and `Mounts`, by destination, as Docker stores them; and a check of
 * `Tmpfs`. Those of type `volume` have a name (empty: anonymous) but no source yet. `sourceExists` tells whether the
 * source of a `--mount` is there; a missing source of `-v` is made as a directory when the container starts.
 * Throws `InvalidParameter` in Docker's words, also for two mounts on one destination.
 */
export function mountPointsOf(
  hostConfig: Pick<HostConfig, 'Binds' | 'Mounts' | 'Tmpfs'>,
  options: { readonly dataRoot: string; readonly sourceExists: (path: string) => boolean },
): Record<string, MountPoint> {
  const tmpfs = hostConfig.Tmpfs ?? {};
  Object.keys(tmpfs).forEach(checkDestination);
  const points = new Map<string, MountPoint>();
  const add = (point: MountPoint, shown: string): void => {
    if (points.has(point.Destination)) throw invalid(`Duplicate mount point: ${shown}`);
    points.set(point.Destination, point);
  };
  for (const bind of hostConfig.Binds ?? []) {
    const point = parseBind(bind, options.dataRoot);
    if (point.Destination in tmpfs) throw invalid(`Duplicate mount point: ${point.Destination}`);
    add(point, point.Destination);
  }
  for (const spec of hostConfig.Mounts ?? []) {
    checkMount(spec, options.sourceExists);
    const point = pointOf(spec, '', options.dataRoot);
    add({ ...point, SkipMountpointCreation: spec.Type === 'bind' }, spec.Target ?? '');
  }
  return Object.fromEntries(points);
}
