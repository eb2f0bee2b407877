/**
 * The layer database, as Docker 20.10 lays it out under `image/<driver>/layerdb/`:
 *
 *     sha256/<chain ID>/cache-id           the driver's id of the layer
 *                       diff               its diff ID
 *                       parent             the chain ID below; absent at the bottom
 *                       size               bytes of file contents it adds, decimal
 *                       tar-split.json.gz  what its tar holds besides file contents
 *     mounts/<container ID>/mount-id       the driver's id of a container's layer
 *                           init-id        of its init layer; absent when there is none
 *                           parent         the chain ID of the image's top layer; absent for an image without layers
 *                           tsengine-<mount id>  ours, empty: that we made it, and its id where a power cut has emptied `mount-id`
 *     tmp/                                 layers being made and unmade (write-set.ts)
 *
 * Everything here only reads. A layer's folder never changes once it has its name, so what was read once stays true
 * for as long as the folder is there.
 */
import { existsSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../errors.ts';
import { listDirectory, readText } from '../../linux/files.ts';
import { ensureDirectory } from '../root.ts';
import { digestHex } from './chain-id.ts';
import type { ChainId, ContainerLayer, Layer } from './types.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const CACHE_ID = /^[0-9a-f]{64}(-init)?$/;
const HEX64 = /^[0-9a-f]{64}$/;
const SIZE = /^\d{1,16}$/;

/** One file of one value; `undefined` when it is not there, `Corrupt` when it holds anything else than `form`. */
function readValue(file: string, form: RegExp): string | undefined {
  let text: string;
  try {
    text = readText(file);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const value = text.trim();
  if (!form.test(value)) {
    throw new TsengineError(
      'Corrupt',
      `${file}: ${JSON.stringify(value.slice(0, 80))} is not what belongs there`,
    );
  }
  return value;
}

function needed(value: string | undefined, file: string): string {
  if (value === undefined)
    throw new TsengineError('Corrupt', `${file} is missing: the layer store was damaged`);
  return value;
}

const NOTE = 'tsengine-';

/** The name of the note in a container layer's folder. */
export function mountNote(mountId: string): string {
  return `${NOTE}${mountId}`;
}

/** The mount id that the note in a container layer's folder tells; `undefined` without one. */
function notedMount(dir: string): string | undefined {
  const note = listDirectory(dir).find(
    (name) => name.startsWith(NOTE) && HEX64.test(name.slice(NOTE.length)),
  );
  return note?.slice(NOTE.length);
}

/** Reads `image/<driver>/layerdb`. */
export class LayerDb {
  readonly #layers: string;
  readonly #mounts: string;
  /** Where layers are made and unmade. */
  readonly tmpDir: string;

  constructor(imageDir: string) {
    this.#layers = `${imageDir}/layerdb/sha256`;
    this.#mounts = `${imageDir}/layerdb/mounts`;
    this.tmpDir = `${imageDir}/layerdb/tmp`;
  }

  /** Makes the folders that are not there yet, with Docker's modes. */
  makeFolders(): void {
    if (existsSync(this.tmpDir) && existsSync(this.#layers) && existsSync(this.#mounts)) return;
    const layerdb = this.tmpDir.slice(0, -'/tmp'.length);
    const image = layerdb.slice(0, -'/layerdb'.length);
    for (const path of [image.slice(0, image.lastIndexOf('/')), image, layerdb]) ensureDirectory(path, 0o700);
    for (const path of [this.#layers, this.#mounts, this.tmpDir]) ensureDirectory(path, 0o755);
  }

  /** The folder of all layers, which is synced after one was renamed into it. */
  get layersDir(): string {
    return this.#layers;
  }

  /** The folder of all container layers. */
  get mountsDir(): string {
    return this.#mounts;
  }

  layerDir(chainId: ChainId): string {
    return `${this.#layers}/${digestHex(chainId)}`;
  }

  mountDir(containerId: string): string {
    if (!HEX64.test(containerId)) throw new TypeError(`not a container id: ${JSON.stringify(containerId)}`);
    return `${this.#mounts}/${containerId}`;
  }

  tarSplitPath(chainId: ChainId): string {
    return `${this.layerDir(chainId)}/tar-split.json.gz`;
  }

  exists(chainId: ChainId): boolean {
    return existsSync(this.layerDir(chainId));
  }

  /** The registered layer, or `undefined`. Another process may remove it at any moment unless the caller holds it. */
  layer(chainId: ChainId): Layer | undefined {
    const dir = this.layerDir(chainId);
    for (let attempt = 1; ; attempt += 1) {
      const cacheId = readValue(`${dir}/cache-id`, CACHE_ID);
      const diffId = readValue(`${dir}/diff`, DIGEST);
      const parent = readValue(`${dir}/parent`, DIGEST);
      const size = readValue(`${dir}/size`, SIZE);
      // Asked after all was read: else a removal in the middle would look like damage.
      if (!existsSync(dir)) return undefined;
      const isWhole = cacheId !== undefined && diffId !== undefined && size !== undefined;
      // It may have come while we read.
      if (!isWhole && attempt === 1) continue;
      return {
        chainId,
        cacheId: needed(cacheId, `${dir}/cache-id`),
        diffId: needed(diffId, `${dir}/diff`),
        parent,
        size: Number(needed(size, `${dir}/size`)),
      };
    }
  }

  /** The layer's size in bytes. Fails with `Corrupt` when there is no such layer. */
  size(chainId: ChainId): number {
    const file = `${this.layerDir(chainId)}/size`;
    return Number(needed(readValue(file, SIZE), file));
  }

  /** The chain ID below, or `undefined` at the bottom and for a layer that is not there. */
  parent(chainId: ChainId): ChainId | undefined {
    return readValue(`${this.layerDir(chainId)}/parent`, DIGEST);
  }

  /** All registered layers. Docker's own leftovers have longer names (`<hex>-<hex>-removing`) and are not among them. */
  chainIds(): ChainId[] {
    return listDirectory(this.#layers)
      .filter((name) => HEX64.test(name))
      .map((name) => `sha256:${name}`);
  }

  /** The container's layer, or `undefined`. */
  containerLayer(containerId: string): ContainerLayer | undefined {
    const dir = this.mountDir(containerId);
    try {
      return this.#readContainerLayer(containerId, dir);
    } catch (error) {
      const mountId =
        error instanceof TsengineError && error.code === 'Corrupt' ? notedMount(dir) : undefined;
      if (mountId === undefined) throw error;
      // Not made durable, and the power was cut: of no use to anybody any more, but to be removed.
      return { containerId, mountId, initId: `${mountId}-init`, parent: undefined };
    }
  }

  #readContainerLayer(containerId: string, dir: string): ContainerLayer | undefined {
    const mountId = readValue(`${dir}/mount-id`, CACHE_ID);
    if (mountId === undefined && !existsSync(dir)) return undefined;
    return {
      containerId,
      mountId: needed(mountId, `${dir}/mount-id`),
      initId: readValue(`${dir}/init-id`, CACHE_ID),
      parent: readValue(`${dir}/parent`, DIGEST),
    };
  }

  /** The ids of all containers that have a layer. */
  containerIds(): string[] {
    return listDirectory(this.#mounts).filter((name) => HEX64.test(name));
  }

  /** Those of them whose layer this engine made. */
  ownContainerIds(): string[] {
    return this.containerIds().filter((id) => notedMount(`${this.#mounts}/${id}`) !== undefined);
  }
}
