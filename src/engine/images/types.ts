import type { ContainerConfig } from '../api/container-config.ts';
import type { ChainId, DiffId } from '../layers/types.ts';

/** An image's configuration, parsed; `raw` is the exact JSON whose digest is the id. Source: OCI image spec, config; Docker image spec v1.2. */
export interface Image {
  /** `sha256:…` of `raw`. */
  readonly id: string;
  readonly raw: Buffer;
  readonly created: string;
  readonly author: string;
  readonly architecture: string;
  readonly variant: string;
  readonly os: string;
  /** Empty but for Windows images. */
  readonly osVersion: string;
  readonly comment: string;
  readonly dockerVersion: string;
  /** What containers of it start from. */
  readonly config: ContainerConfig | undefined;
  readonly container: string;
  readonly containerConfig: ContainerConfig | undefined;
  readonly diffIds: readonly DiffId[];
  /** The chain ID of its top layer; `undefined` for an image without layers. */
  readonly topLayer: ChainId | undefined;
  readonly history: readonly ImageHistory[];
}

/** One step of an image's history. */
export interface ImageHistory {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** Images by id, in Docker's layout. */
export interface ImageStore {
  /** The image of that `sha256:…` id, or `undefined`. */
  get(id: string): Image | undefined;
  /** All ids. */
  ids(): string[];
  /** Whether there is an image of that id. Cheaper than `get`. */
  exists(id: string): boolean;
  /** Writes a configuration, durably; gives its id. The layers it names must be registered. Called under the `images` lock. */
  create(raw: Buffer, parent?: string): Promise<string>;
  /** The id of the image it was made from on this machine (`commit`, `build`), or `undefined`. */
  parentOf(id: string): string | undefined;
}

/** What containers and images need of each other. */
export interface ImageLookup {
  /** The image a reference, id or prefix means; fails with `NotFound` in Docker's words (`No such image: x:latest`). */
  resolve(name: string): Image;
  /** What finds the ids of images for many names, by the references as they are now; `undefined` for a name that means none. */
  finder(): (name: string) => string | undefined;
  /** Whether there is an image of that id. */
  exists(id: string): boolean;
  /**
   * Registers what a container changed as a new layer on top of its image and makes an image of it.
   * `config` is what the new image's containers start from.
   */
  commit(request: CommitRequest): Promise<string>;
}

/** What `commit` needs to know of a container. */
export interface CommitRequest {
  readonly containerId: string;
  /** The image the container was made from; `undefined` when that is gone or there was none. */
  readonly image: Image | undefined;
  readonly config: ContainerConfig;
  readonly containerConfig: ContainerConfig;
  readonly changes: readonly string[];
  readonly author: string;
  readonly message: string;
  readonly reference: string | undefined;
}
