import type { Change, DiffSource, MountedLayer, MountOptions } from '../../drivers/driver.ts';

/** `sha256:` and 64 hexadecimal characters: the digest of a layer's uncompressed tar. Source: OCI image spec, "DiffID". */
export type DiffId = string;
/** `sha256:` and 64 hexadecimal characters: the digest that names a layer with all its parents. Source: OCI image spec, "ChainID". */
export type ChainId = string;

/** A registered image layer, as `image/<driver>/layerdb/sha256/<chainID>/` has it. */
export interface Layer {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  readonly parent: ChainId | undefined;
  /** The id under which the driver holds it. */
  readonly cacheId: string;
  /** Bytes of file contents that it adds. */
  readonly size: number;
}

/** A container's layer, as `image/<driver>/layerdb/mounts/<containerID>/` has it. */
export interface ContainerLayer {
  readonly containerId: string;
  readonly mountId: string;
  readonly initId: string | undefined;
  readonly parent: ChainId | undefined;
}

/** Options of `register`. */
export interface RegisterOptions {
  /** The digest the tar must have: a wrong one fails and leaves nothing; a known one lets two loads of one layer do the work once. */
  readonly expected?: DiffId;
}

/**
 * Layers of one image, or of one operation, that are registered together: read one after the other, each on top of one
 * before it or of a registered one, then made durable by a single sync, then registered. Dispose of it in the end,
 * whatever happened: what was not registered by then is removed, and what others wait for is theirs.
 */
export interface LayerBatch extends AsyncDisposable {
  /** As `LayerStore.register`, but nobody else sees the layer before `commit`. */
  add(tar: AsyncIterable<Buffer>, parent: ChainId | undefined, options?: RegisterOptions): Promise<Layer>;
  /**
   * The layer, if it is registered or in this batch; it then stays until the batch is disposed of. With it a load finds
   * out that it need not read a layer at all.
   */
  use(chainId: ChainId): Promise<Layer | undefined>;
  /** Takes out what `add` gave, where nobody will refer to it. One that was registered before stays so. */
  drop(layer: Layer): Promise<void>;
  /**
   * Registers what was added and calls `refer`, which puts on record what refers to it (an image). When that fails, the
   * layers are removed again. A crash before it returns leaves nothing.
   */
  commit<T>(refer: () => Promise<T> | T): Promise<T>;
  /**
   * Says, inside `refer`, which image is about to be written. If this process dies before the batch is disposed of, the
   * next start removes the image unless it has a name or a container by then.
   */
  announce(imageId: string): void;
}

/**
 * Keeps layers that nothing on record refers to, for as long as this process lives and does not dispose of it. Whoever
 * removes an image holds its layers first, so that a crash in between is made good by the next start.
 */
export interface LayerHold extends Disposable {
  /** Holds a layer that is certain to be referred to now. */
  add(chainId: ChainId): void;
  /** Says which image is about to lose its last name and go: after a crash the next start removes it if it is nameless and unused. */
  announce(imageId: string): void;
  /** `LayerStore.releaseUnused`, for which this hold does not count. */
  release(chainId: ChainId): Promise<Layer[]>;
  /** Leaves what was said here to the next start, as a crash would. */
  leaveBehind(): void;
}

/** Options of `createContainerLayer`. */
export interface ContainerLayerOptions {
  readonly storageOptions?: Readonly<Record<string, string>>;
  readonly mountLabel?: string;
  /** Whether the layer must survive a power cut from the moment it is made. Default true; not worth its price for `--rm`. */
  readonly durable?: boolean;
  /** Fills the `-init` layer, mounted at `path`; without it there is no init layer. */
  readonly initialise?: (path: string) => Promise<void> | void;
}

/**
 * Layers in Docker's layout, shared between processes. An image layer is referenced by images, by layers on top of it
 * and by containers; references are counted from what is on disk, under the store's lock, so that no count can be wrong.
 */
export interface LayerStore {
  /** The layer of that chain ID, or `undefined`. */
  get(chainId: ChainId): Layer | undefined;
  /** All registered layers. */
  list(): Layer[];
  /** Bytes of file contents that the layer alone adds. Fails with `Corrupt` when it is not there. */
  size(chainId: ChainId): number;
  /** Begins to register layers together. */
  batch(): LayerBatch;
  /**
   * Reads a layer's tar (plain or compressed), fills a driver layer from it and registers it, durably unless
   * `sync-layers` is off. The same layer a second time gives the one that is there. On failure nothing is left.
   */
  register(
    tar: AsyncIterable<Buffer>,
    parent: ChainId | undefined,
    options?: RegisterOptions,
  ): Promise<Layer>;
  /** The layer's tar, byte for byte as it came in. Fails with `Corrupt`, perhaps only at its end, when it cannot be that any more. */
  tarStream(chainId: ChainId): AsyncIterable<Buffer>;
  /** Bytes of the layer's tar, for a header that comes before it. Costs a reading of the tar-split. */
  tarSize(chainId: ChainId): Promise<number>;
  /** Removes the layer and then its parents, as far as nothing else refers to them. Gives what is gone, top first. */
  releaseUnused(chainId: ChainId): Promise<Layer[]>;
  /** An empty hold. */
  hold(): LayerHold;

  /** Makes a container's layer over an image's top layer (over nothing when `undefined`). On failure nothing is left. */
  createContainerLayer(
    containerId: string,
    parent: ChainId | undefined,
    options?: ContainerLayerOptions,
  ): Promise<ContainerLayer>;
  /** The container's layer, or `undefined`. */
  containerLayer(containerId: string): ContainerLayer | undefined;
  /** The ids of the containers, if there still are such, whose layers this engine made and not Docker. */
  ownContainerLayers(): string[];
  /** All container layers. */
  containerLayers(): ContainerLayer[];
  /** Mounts it, counted. A running container keeps it: who starts it does not dispose of it, who records its end calls `unmountContainerLayer`. */
  mountContainerLayer(
    containerId: string,
    mountLabel?: string,
    options?: MountOptions,
  ): Promise<MountedLayer>;
  /** All that was written to the data root and to layers is on disk when it returns. Nothing is done where layers are not synced. */
  sync(): Promise<void>;
  /** One release of `mountContainerLayer`. */
  unmountContainerLayer(containerId: string): Promise<void>;
  /** What the container changed against its init layer. */
  containerChanges(containerId: string): Promise<readonly Change[]>;
  /** The same as an uncompressed layer tar. */
  containerDiff(containerId: string): AsyncIterable<Buffer>;
  /** Bytes the container added. */
  containerSize(containerId: string): Promise<number>;
  /** Where `docker inspect` shows the driver's paths. */
  containerMetadata(containerId: string): Promise<Readonly<Record<string, string>> | undefined>;
  /**
   * Removes the container's layer and its init layer, and the image layers below that nothing refers to any more (an
   * image that was removed by force). One that is not there is no error. `image` saves the search for references where
   * the image that the container was made from still exists.
   */
  removeContainerLayer(containerId: string, options?: { readonly image?: string }): Promise<void>;
  /** Where the contents of an image layer's files are read. */
  diffSource(chainId: ChainId): Promise<DiffSource>;
  /** Where `docker image inspect` shows the driver's paths. */
  metadata(chainId: ChainId): Promise<Readonly<Record<string, string>> | undefined>;
}
