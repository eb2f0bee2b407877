/** The layer store: puts the parts of this folder together. */
import type { GraphDriver } from '../../drivers/driver.ts';
import { TsengineError } from '../../errors.ts';
import type { DataRoot } from '../root.ts';
import { baseOf, dropContainerLayer, makeContainerLayer, neededContainerLayer } from './container-layers.ts';
import { dataSync, settleDriver, settleOrder } from './data-sync.ts';
import { layerBatch } from './layer-batch.ts';
import { LayerDb } from './layer-db.ts';
import { type LayerTarSource, layerTar, layerTarSize } from './layer-tar.ts';
import { anyLease, Lease, recoverLeases } from './leases.ts';
import type { ImageLayers } from './references.ts';
import { releaseLayers } from './release.ts';
import type { ChainId, Layer, LayerStore } from './types.ts';
import { anyWriteSet, recoverWriteSets } from './write-set.ts';

/** What the store works with. */
export interface LayerStoreDeps {
  readonly root: DataRoot;
  /** The driver's name, known before it is opened. */
  readonly driverName: string;
  /** Opens the driver, once. Called only when a layer's files are needed. */
  driver(): Promise<GraphDriver>;
  /** Which layers the images on record have. */
  readonly imageLayers: ImageLayers;
  /** Whether a chain of layers is the one of this image, which is on record. */
  imageHasTop(image: string, chainId: ChainId | undefined): boolean;
  /** Whether layers are made durable before they are registered. */
  readonly syncLayers: boolean;
  warn(message: string): void;
}

/** The store with what only the engine calls. */
export interface OpenLayerStore extends LayerStore {
  /**
   * Finishes what dead processes left: layers half made or half removed, and layers registered for an image that was
   * not written. `forgetImage` removes an image that was written and got no name. Costs two directory listings when
   * there is nothing.
   */
  recover(forgetImage: (id: string) => Promise<void>): Promise<void>;
}

function namesOf(lease: string | undefined): ReadonlySet<string> {
  return new Set(lease === undefined ? [] : [lease]);
}

/** Opens the layer store of a driver. Makes its folders, unless the root is only read, and does nothing else. */
export function openLayerStore(deps: LayerStoreDeps): OpenLayerStore {
  const { root } = deps;
  const db = new LayerDb(root.imageDir(deps.driverName));
  if (!root.readOnly) db.makeFolders();
  const { driver, imageLayers, warn, syncLayers } = deps;
  const context = { root, db, driver, imageLayers, warn };

  const neededLayer = (chainId: ChainId): Layer => {
    const layer = db.layer(chainId);
    if (layer === undefined) throw new TsengineError('Corrupt', `layer ${chainId} does not exist`);
    return layer;
  };
  const cacheIdOf = (chainId: ChainId | undefined): string | undefined =>
    chainId === undefined ? undefined : neededLayer(chainId).cacheId;
  const tarSource = async (chainId: ChainId): Promise<LayerTarSource> => {
    const layer = neededLayer(chainId);
    const parentCacheId = cacheIdOf(layer.parent);
    return { driver: await driver(), layer, parentCacheId, tarSplit: db.tarSplitPath(chainId) };
  };
  const recoverAll = async (): Promise<void> => {
    if (!anyWriteSet(db.tmpDir)) return;
    const opened = await driver();
    await recoverWriteSets(db.tmpDir, opened, () => settleDriver(root, opened.name), warn);
  };
  const batch = () =>
    layerBatch({
      root,
      db,
      syncLayers,
      driver,
      release: (tops, lease) => releaseLayers({ ...context, exceptLeases: namesOf(lease) }, tops),
    });

  return {
    get: (chainId) => db.layer(chainId),
    list: () => db.chainIds().flatMap((chainId) => db.layer(chainId) ?? []),
    size: (chainId) => db.size(chainId),
    batch,
    async register(tar, parent, options) {
      await using one = batch();
      const layer = await one.add(tar, parent, options);
      return await one.commit(() => layer);
    },
    async *tarStream(chainId) {
      yield* layerTar(await tarSource(chainId));
    },
    tarSize: async (chainId) => await layerTarSize(await tarSource(chainId)),
    releaseUnused: (chainId) => releaseLayers(context, [chainId]),
    hold: () => {
      const lease = new Lease(root);
      return {
        add: (chainId) => lease.add([chainId]),
        announce: (imageId) => lease.announce(imageId),
        leaveBehind: () => lease.leaveBehind(),
        release: async (chainId) => {
          try {
            const gone = await releaseLayers({ ...context, exceptLeases: namesOf(lease.name) }, [chainId]);
            // The lease goes next, and a power cut must not leave these behind without it.
            if (gone.length > 0) await settleOrder(root.path);
            return gone;
          } catch (error) {
            lease.leaveBehind();
            throw error;
          }
        },
        [Symbol.dispose]: () => lease[Symbol.dispose](),
      };
    },
    diffSource: async (chainId) => {
      const layer = neededLayer(chainId);
      return await (await driver()).diffSource(layer.cacheId, cacheIdOf(layer.parent));
    },
    metadata: async (chainId) => await (await driver()).metadata(neededLayer(chainId).cacheId),

    createContainerLayer: (containerId, parent, options = {}) =>
      makeContainerLayer(context, containerId, parent, options),
    containerLayer: (containerId) => db.containerLayer(containerId),
    ownContainerLayers: () => db.ownContainerIds(),
    containerLayers: () => db.containerIds().map((id) => neededContainerLayer(db, id)),
    mountContainerLayer: async (containerId, mountLabel, options) =>
      await (await driver()).get(neededContainerLayer(db, containerId).mountId, mountLabel, options),
    sync: async () => {
      if (!syncLayers) return;
      using all = dataSync([root.path, root.driverHome(deps.driverName)]);
      await all.finish();
    },
    unmountContainerLayer: async (containerId) =>
      await (await driver()).put(neededContainerLayer(db, containerId).mountId),
    containerChanges: async (containerId) => {
      const layer = neededContainerLayer(db, containerId);
      return await (await driver()).changes(layer.mountId, baseOf(db, layer));
    },
    async *containerDiff(containerId) {
      const layer = neededContainerLayer(db, containerId);
      yield* (await driver()).diff(layer.mountId, baseOf(db, layer));
    },
    containerSize: async (containerId) => {
      const layer = neededContainerLayer(db, containerId);
      return await (await driver()).diffSize(layer.mountId, baseOf(db, layer));
    },
    containerMetadata: async (containerId) =>
      await (await driver()).metadata(neededContainerLayer(db, containerId).mountId),
    async removeContainerLayer(containerId, { image } = {}) {
      const layer = await dropContainerLayer(context, containerId);
      if (layer?.parent === undefined) return;
      if (image !== undefined && deps.imageHasTop(image, layer.parent)) return;
      await releaseLayers(context, [layer.parent]);
    },

    async recover(forgetImage) {
      await recoverAll();
      if (!anyLease(root)) return;
      await recoverLeases(root, async (left, exceptLeases) => {
        // Who has died since we looked may have left a layer in the making above one that is about to go.
        await recoverAll();
        for (const id of left.images) await forgetImage(id);
        await releaseLayers({ ...context, exceptLeases, leavesWhatStays: true }, left.layers);
      });
    },
  };
}
