import { availableParallelism, hostname } from 'node:os';
import { posix } from 'node:path';
import { hasErrno, TsengineError } from '../../errors.ts';
import { pathExists } from '../../linux/files.ts';
import type { ContainerConfig } from '../api/container-config.ts';
import type { HostConfig } from '../api/host-config.ts';
import type { MountPoint } from '../api/mount-point.ts';
import type { CreateContainer } from '../api/services.ts';
import type { Image } from '../images/types.ts';
import type { ContainerLayerOptions } from '../layers/types.ts';
import { completeHostConfig } from '../runtime/spec/create-settings.ts';
import { commandOf } from '../runtime/spec/environment.ts';
import { mountPointsOf } from '../runtime/spec/mount-points.ts';
import { formatTimestamp, now } from '../text/timestamp.ts';
import { checkRequest } from './check-request.ts';
import { type ContainerFile, newNetworkSettings, newState, type StoredContainer } from './container-file.ts';
import type { ContainerContext } from './context.ts';
import { fillInitLayer } from './init-layer.ts';
import { mergeConfig } from './merge-config.ts';
import { checkContainerName, nameConflict, randomId, randomName } from './names.ts';
import { pledge, redeem } from './pledges.ts';
import { RootFilesystem } from './root-filesystem.ts';
import { eraseUnfinished } from './run-ending.ts';
import { anonymousVolume, prepareVolumes } from './volumes.ts';

/** The key under which Docker keeps a container's part in a network, for the modes that we serve. */
function networkName(mode: string): string {
  return mode === 'default' || mode === '' ? 'bridge' : mode;
}

function platformWarning(image: Image | undefined, host: string): string[] {
  if (image === undefined || image.architecture === '') return [];
  const own = `linux/${host}`;
  const variant = image.variant === '' ? '' : `/${image.variant}`;
  if (image.os === 'linux' && image.architecture === host) return [];
  return [
    `The requested image's platform (${image.os}/${image.architecture}${variant}) does not match the detected host ` +
      `platform (${own}) and no specific platform was requested`,
  ];
}

/** The mount points of a container: what was asked for, and a volume for each further `VOLUME`. */
function mountPoints(
  context: ContainerContext,
  config: ContainerConfig,
  hostConfig: HostConfig,
): Record<string, MountPoint> {
  const points = mountPointsOf(hostConfig, { dataRoot: context.root.path, sourceExists: pathExists });
  for (const volume of Object.keys(config.Volumes ?? {})) {
    const destination = posix.resolve('/', volume);
    const taken = destination in points || Object.hasOwn(hostConfig.Tmpfs ?? {}, destination);
    if (!taken) points[destination] = anonymousVolume(destination);
  }
  return points;
}

/** Takes the wanted name, or one that is free. Fails with `Conflict` in Docker's words. */
async function takeName(context: ContainerContext, wanted: string | undefined, id: string): Promise<string> {
  const { names } = context.store;
  if (wanted !== undefined && wanted !== '') {
    const name = checkContainerName(wanted);
    const holder = await names.take(name, id);
    if (holder !== undefined) throw nameConflict(name, holder);
    return name;
  }
  for (;;) {
    const name = randomName(() => false, id);
    if ((await names.take(name, id)) === undefined) return name;
  }
}

/** The settings as they are stored, with the image's, and with defaults filled in. */
function settle(context: ContainerContext, request: CreateContainer, image: Image | undefined) {
  const merged = mergeConfig(request.config, image?.config);
  const { path, args } = commandOf(merged);
  if ((merged.Cmd ?? []).length + (merged.Entrypoint ?? []).length === 0) {
    throw new TsengineError('InvalidParameter', 'No command specified');
  }
  const completed = completeHostConfig(request.hostConfig, context.host());
  const hostConfig: HostConfig = {
    ...completed,
    Runtime: (completed.Runtime ?? '') === '' ? context.settings.defaultRuntime : completed.Runtime,
    LogConfig: { Type: completed.LogConfig.Type || 'json-file', Config: completed.LogConfig.Config ?? {} },
  };
  return { merged, path, args, hostConfig };
}

/** Everything about a new container but its mounts. */
interface Draft {
  readonly id: string;
  readonly name: string;
  readonly anonymous: boolean;
  readonly image: Image | undefined;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly path: string;
  readonly args: readonly string[];
  /** Whether it outlives a power cut. Not worth its price where it is started at once and goes at its end. */
  readonly durable: boolean;
}

function containerFile(
  context: ContainerContext,
  draft: Draft,
  points: Record<string, MountPoint>,
): ContainerFile {
  const mode = draft.hostConfig.NetworkMode;
  const fallback = mode === 'host' ? hostname() : draft.id.slice(0, 12);
  return {
    StreamConfig: {},
    State: newState(),
    ID: draft.id,
    Created: formatTimestamp(now()),
    Managed: false,
    Path: draft.path,
    Args: [...draft.args],
    Config: { ...draft.config, Hostname: draft.config.Hostname === '' ? fallback : draft.config.Hostname },
    Image: draft.image?.id ?? '',
    NetworkSettings: newNetworkSettings(networkName(mode), draft.anonymous),
    LogPath: '',
    Name: `/${draft.name}`,
    Driver: context.driverName,
    OS: draft.image?.os || 'linux',
    MountLabel: '',
    ProcessLabel: '',
    RestartCount: 0,
    HasBeenStartedBefore: false,
    HasBeenManuallyStopped: false,
    MountPoints: points,
    SecretReferences: null,
    ConfigReferences: null,
    AppArmorProfile: '',
    HostnamePath: '',
    HostsPath: '',
    ShmPath: '',
    ResolvConfPath: '',
    SeccompProfile: '',
    NoNewPrivileges: false,
    LocalLogCacheMeta: { HaveNotifyEnabled: false },
  };
}

/** The container's layer, with its working directory, and its volumes. */
async function makeLayer(context: ContainerContext, draft: Draft): Promise<Record<string, MountPoint>> {
  const { layers, root } = context;
  const { id, image, config, hostConfig } = draft;
  const wanted = mountPoints(context, config, hostConfig);
  let incomplete = Object.values(wanted).some((point) => point.Type === 'volume');
  await onImage(context, image, id, {
    ...(hostConfig.StorageOpt === undefined ? {} : { storageOptions: hostConfig.StorageOpt }),
    durable: draft.durable,
    initialise: (path) => {
      fillInitLayer(path);
      if (config.WorkingDir === '' || config.WorkingDir === '/') return;
      using below = new RootFilesystem(path);
      if (below.kindOf(config.WorkingDir) !== 'directory') incomplete = true;
    },
  });
  if (!incomplete) return wanted;
  await using mounted = await layers.mountContainerLayer(id);
  using files = new RootFilesystem(mounted.path);
  if (config.WorkingDir !== '') files.makeDirectories(config.WorkingDir);
  return await prepareVolumes(root, id, wanted, files, (names) => context.store.noteVolumes(id, names));
}

/** Makes the container's layer. Where its image has been removed meanwhile it is that which is told, not the layer. */
async function onImage(
  context: ContainerContext,
  image: Image | undefined,
  id: string,
  options: ContainerLayerOptions,
): Promise<void> {
  try {
    await context.layers.createContainerLayer(id, image?.topLayer, options);
  } catch (error) {
    const isGone = image !== undefined && hasErrno(error, 'NotFound') && !context.images.exists(image.id);
    if (isGone) throw new TsengineError('NotFound', `No such image: ${image.id}`, { cause: error });
    throw error;
  }
}

/**
 * Calls `rename`, which lets the container appear, while its image is certain to be there. Whoever removes an image looks
 * for containers under the same lock, so that one of the two fails.
 */
async function appearWithImage(
  context: ContainerContext,
  image: Image | undefined,
  rename: () => void,
): Promise<void> {
  if (image === undefined) return rename();
  using _ = await context.root.lock('images');
  if (!context.images.exists(image.id)) throw new TsengineError('NotFound', `No such image: ${image.id}`);
  rename();
}

/** Takes back what a failed creation made. What cannot be undone now the next command undoes: the first error is what people must see. */
async function undo(context: ContainerContext, name: string, id: string): Promise<void> {
  try {
    await eraseUnfinished(context, id);
    context.store.names.release(name, id);
  } catch {
    // The folder that is left says what there is to remove.
  }
  redeem(context, id);
}

/** Makes a container: see `ContainerService.create`. When it fails nothing is left, the name is free. */
export async function createContainer(
  context: ContainerContext,
  request: CreateContainer,
): Promise<{ id: string; warnings: string[] }> {
  const { store, images } = context;
  const host = { ...context.host(), cpus: availableParallelism() };
  const warnings = checkRequest(request.config, request.hostConfig, host, context.settings);
  const image = request.config.Image === '' ? undefined : images.resolve(request.config.Image);
  warnings.push(...platformWarning(image, host.arch));
  const { merged, path, args, hostConfig } = settle(context, request, image);
  const id = randomId();
  using _ = await store.lock(id);
  const durable = request.startsNext !== true || !hostConfig.AutoRemove;
  if (!durable) pledge(context, id);
  const name = await takeName(context, request.name, id);
  const anonymous = (request.name ?? '') === '';
  const draft: Draft = { id, name, anonymous, image, config: merged, hostConfig, path, args, durable };
  try {
    const fill = async (): Promise<StoredContainer> => {
      const points = await makeLayer(context, draft);
      // One call, for what the driver notes of the layers, or copies, and for what is copied into volumes.
      if (durable) await context.layers.sync();
      return { file: containerFile(context, draft, points), hostConfig };
    };
    await store.create(id, durable, fill, (rename) => appearWithImage(context, image, rename));
  } catch (error) {
    await undo(context, name, id);
    throw error;
  }
  return { id, warnings };
}
