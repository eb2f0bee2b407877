/**
 * The layers of containers: one to write over one init layer over the image's top layer. Made and removed through
 * write-sets like image layers; the driver's ids are `<mount id>` and `<mount id>-init`, as Docker's.
 */
import type { GraphDriver } from '../../drivers/driver.ts';
import { hasErrno, TsengineError } from '../../errors.ts';
import { fsyncDirectory, writeNewFile } from '../../linux/files.ts';
import type { DataRoot } from '../root.ts';
import { settleDriver, settleOrder } from './data-sync.ts';
import { newCacheId } from './layer-batch.ts';
import { type LayerDb, mountNote } from './layer-db.ts';
import { Lease } from './leases.ts';
import type { ChainId, ContainerLayer, ContainerLayerOptions, Layer } from './types.ts';
import { beginRemoval, beginWriteSet } from './write-set.ts';

/** What the functions here work with. */
export interface ContainerLayerContext {
  readonly root: DataRoot;
  readonly db: LayerDb;
  driver(): Promise<GraphDriver>;
}

/** The container's layer. Fails with `NotFound` when it has none. */
export function neededContainerLayer(db: LayerDb, containerId: string): ContainerLayer {
  const layer = db.containerLayer(containerId);
  if (layer === undefined) {
    throw new TsengineError(
      'NotFound',
      `container ${containerId.slice(0, 12)} has no layer in this data root`,
    );
  }
  return layer;
}

/** The driver's id of what a container's changes are seen against: its init layer, or its image. */
export function baseOf(db: LayerDb, layer: ContainerLayer): string | undefined {
  if (layer.initId !== undefined) return layer.initId;
  return layer.parent === undefined ? undefined : db.layer(layer.parent)?.cacheId;
}

/** Keeps the image's top layer while the container's is being made. */
async function leaseParent(
  context: ContainerLayerContext,
  lease: Lease,
  parent: ChainId | undefined,
): Promise<Layer | undefined> {
  if (parent === undefined) return undefined;
  using _ = await context.root.lock('layers');
  const layer = context.db.layer(parent);
  if (layer === undefined) throw new TsengineError('NotFound', `layer ${parent} does not exist`);
  lease.add([parent]);
  return layer;
}

/** A limit that has no room for the mount points. Drivers whose layers are whole trees count what the image takes. */
function tooSmall(size: string | undefined, cause: unknown): unknown {
  if (size === undefined) return cause;
  const message = `size=${size} has no room for what the container begins with, which with some drivers is all of its image: give it more`;
  return new TsengineError('InvalidParameter', message, { cause });
}

/** Makes the layers of a container. A crash leaves a write-set, which the next start removes. */
export async function makeContainerLayer(
  context: ContainerLayerContext,
  containerId: string,
  parent: ChainId | undefined,
  options: ContainerLayerOptions,
): Promise<ContainerLayer> {
  const { root, db } = context;
  const { storageOptions = {}, mountLabel, durable = true, initialise } = options;
  const target = db.mountDir(containerId);
  if (db.containerLayer(containerId) !== undefined) {
    throw new TsengineError('Conflict', `container ${containerId} has a layer already`);
  }
  const driver = await context.driver();
  using lease = new Lease(root);
  const below = await leaseParent(context, lease, parent);
  const mountId = newCacheId();
  const initId = initialise === undefined ? undefined : `${mountId}-init`;
  const create = { storageOptions, ...(mountLabel === undefined ? {} : { mountLabel }) };
  const writeSet = beginWriteSet(db.tmpDir, mountId);
  const settle = () => settleDriver(root, driver.name);
  try {
    if (initId !== undefined && initialise !== undefined) {
      await driver.createReadWrite(initId, below?.cacheId, create);
      // Empty files and directories, which the write-set removes after a crash.
      await using mounted = await driver.get(initId, mountLabel, { isVolatile: true });
      try {
        await initialise(mounted.path);
      } catch (error) {
        throw hasErrno(error, 'EDQUOT') ? tooSmall(storageOptions.size, error) : error;
      }
    }
    await driver.createReadWrite(mountId, initId ?? below?.cacheId, create);
    const write = (name: string, value: string): void =>
      writeNewFile(`${writeSet.path}/${name}`, value, { mode: 0o644, durable });
    // Names survive where contents do not, so that the layer can be removed after a power cut.
    writeNewFile(`${writeSet.path}/${mountNote(mountId)}`, '', { mode: 0o644, durable: false });
    write('mount-id', mountId);
    if (initId !== undefined) write('init-id', initId);
    if (parent !== undefined) write('parent', parent);
    // On record with its note and with the driver's layers, or not at all.
    if (durable) {
      await settleOrder(root.path);
      await settle();
    }
    writeSet.moveTo(target);
    if (durable) fsyncDirectory(db.mountsDir);
  } catch (error) {
    await writeSet.abandon(driver, settle);
    throw error;
  }
  writeSet.release();
  return { containerId, mountId, initId, parent };
}

/** Removes the layers of a container. Gives what the container stood on, `undefined` when there was nothing to remove. */
export async function dropContainerLayer(
  context: ContainerLayerContext,
  containerId: string,
): Promise<ContainerLayer | undefined> {
  const layer = context.db.containerLayer(containerId);
  if (layer === undefined) return undefined;
  const driver = await context.driver();
  const removal = beginRemoval(context.db.tmpDir, context.db.mountDir(containerId), layer.mountId);
  if (removal === undefined) return undefined;
  try {
    await removal.removeLayer(driver);
    // Docker once named init layers otherwise.
    if (layer.initId !== undefined && layer.initId !== `${layer.mountId}-init`)
      await driver.remove(layer.initId);
    await settleDriver(context.root, driver.name);
    removal.removeFolder();
  } finally {
    removal.release();
  }
  return layer;
}
