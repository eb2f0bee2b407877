/**
 * Registering layers: read, hash and unpack one after the other, sync once, rename into the store.
 *
 * The order of steps, and what a crash after each leaves (see write-set.ts and leases.ts for who cleans up):
 *
 *  1. the parent is leased                      nothing
 *  2. the write-set's folder is made            an empty write-set: removed
 *  3. the driver's layer is made and filled     a write-set and a layer of its id: both removed
 *  4. metadata is written to the folder         the same
 *  5. the new chain IDs are leased              the same
 *  6. the filesystem is synced                  the same
 *  7. the folders are renamed, bottom first     leased layers without an image: removed, as far as unused
 *  8. the folder of layers is synced            the same
 *  9. the image is written (`refer`)            layers and image, whole
 */
import { createHash } from 'node:crypto';
import { decompress } from '../../archive/compression.ts';
import type { GraphDriver } from '../../drivers/driver.ts';
import { TsengineError } from '../../errors.ts';
import { fsyncDirectory, writeNewFile } from '../../linux/files.ts';
import type { Lock } from '../../linux/flock.ts';
import { randomBytes } from '../../linux/random.ts';
import type { DataRoot } from '../root.ts';
import { chainIdOf, digestHex } from './chain-id.ts';
import { type DataSync, dataSync, NO_SYNC, settleDriver } from './data-sync.ts';
import type { LayerDb } from './layer-db.ts';
import { Lease } from './leases.ts';
import type { ChainId, DiffId, Layer, LayerBatch, RegisterOptions } from './types.ts';
import { beginWriteSet, type WriteSet } from './write-set.ts';

/** What a batch works with. */
export interface BatchContext {
  readonly root: DataRoot;
  readonly db: LayerDb;
  readonly syncLayers: boolean;
  driver(): Promise<GraphDriver>;
  /** Removes layers that nothing but `lease` refers to. */
  release(tops: readonly ChainId[], lease: string | undefined): Promise<unknown>;
}

interface Staged {
  readonly layer: Layer;
  readonly writeSet: WriteSet;
  readonly chainLock: Lock;
}

/** A new cache ID, as Docker makes them. */
export function newCacheId(): string {
  return randomBytes(32).toString('hex');
}

/** Begins a batch. */
export function layerBatch(context: BatchContext): LayerBatch {
  return new Batch(context);
}

class Batch implements LayerBatch {
  readonly #context: BatchContext;
  readonly #lease: Lease;
  readonly #staged = new Map<ChainId, Staged>();
  #sync: DataSync | undefined;

  constructor(context: BatchContext) {
    this.#context = context;
    this.#lease = new Lease(context.root);
  }

  async use(chainId: ChainId): Promise<Layer | undefined> {
    const staged = this.#staged.get(chainId)?.layer;
    if (staged !== undefined || !this.#context.db.exists(chainId)) return staged;
    using _ = await this.#context.root.lock('layers');
    const layer = this.#context.db.layer(chainId);
    if (layer !== undefined) this.#lease.add([chainId]);
    return layer;
  }

  async add(
    tar: AsyncIterable<Buffer>,
    parent: ChainId | undefined,
    options: RegisterOptions = {},
  ): Promise<Layer> {
    const below = parent === undefined ? undefined : await this.use(parent);
    if (parent !== undefined && below === undefined) {
      throw new TsengineError('NotFound', `layer ${parent} does not exist`);
    }
    const { expected } = options;
    if (expected === undefined) return await this.#addUnknown(tar, below);
    const chainId = chainIdOf(parent, expected);
    const known = await this.use(chainId);
    if (known !== undefined) return known;
    // Whoever else reads the same layer waits here, and then finds it registered.
    const chainLock = await this.#lockChain(chainId);
    try {
      const registered = await this.use(chainId);
      if (registered !== undefined) {
        chainLock.release();
        return registered;
      }
      const made = await this.#make(tar, below, expected);
      this.#staged.set(chainId, { ...made, chainLock });
      return made.layer;
    } catch (error) {
      chainLock.release();
      throw error;
    }
  }

  /** For a tar whose digest nobody knows before it was read. */
  async #addUnknown(tar: AsyncIterable<Buffer>, below: Layer | undefined): Promise<Layer> {
    const made = await this.#make(tar, below, undefined);
    const { chainId } = made.layer;
    let chainLock: Lock | undefined;
    try {
      const known = await this.use(chainId);
      if (known === undefined) chainLock = await this.#lockChain(chainId);
      const registered = known ?? (await this.use(chainId));
      if (registered === undefined && chainLock !== undefined) {
        this.#staged.set(chainId, { ...made, chainLock });
        return made.layer;
      }
      chainLock?.release();
      await this.#remove(made.writeSet);
      return registered ?? made.layer;
    } catch (error) {
      chainLock?.release();
      await this.#abandon(made.writeSet, await this.#context.driver());
      throw error;
    }
  }

  #lockChain(chainId: ChainId): Promise<Lock> {
    return this.#context.root.lock(`chain-${digestHex(chainId)}`, { ephemeral: true });
  }

  #dataSync(driver: GraphDriver): DataSync {
    const { root, db, syncLayers } = this.#context;
    this.#sync ??= syncLayers ? dataSync([root.path, db.tmpDir, root.driverHome(driver.name)]) : NO_SYNC;
    return this.#sync;
  }

  async #make(
    tar: AsyncIterable<Buffer>,
    below: Layer | undefined,
    expected: DiffId | undefined,
  ): Promise<{ readonly layer: Layer; readonly writeSet: WriteSet }> {
    const driver = await this.#context.driver();
    const sync = this.#dataSync(driver);
    const cacheId = newCacheId();
    const writeSet = beginWriteSet(this.#context.db.tmpDir, cacheId);
    try {
      await driver.create(cacheId, below?.cacheId);
      const hash = createHash('sha256');
      const tarSplit = `${writeSet.path}/tar-split.json.gz`;
      const applied = await driver.applyDiff(cacheId, below?.cacheId, hashed(tar, hash, sync), { tarSplit });
      const diffId = `sha256:${hash.digest('hex')}`;
      if (expected !== undefined && diffId !== expected) {
        throw new TsengineError(
          'Corrupt',
          `invalid diffID for layer: expected "${expected}", got "${diffId}"`,
        );
      }
      const chainId = chainIdOf(below?.chainId, diffId);
      const layer: Layer = { chainId, diffId, parent: below?.chainId, cacheId, size: applied.size };
      writeMetadata(writeSet.path, layer);
      return { layer, writeSet };
    } catch (error) {
      await this.#abandon(writeSet, driver);
      throw error;
    }
  }

  async #remove(writeSet: WriteSet): Promise<void> {
    const driver = await this.#context.driver();
    await writeSet.remove(driver, () => settleDriver(this.#context.root, driver.name));
  }

  async #abandon(writeSet: WriteSet, driver: GraphDriver): Promise<void> {
    await writeSet.abandon(driver, () => settleDriver(this.#context.root, driver.name));
  }

  async drop({ chainId }: Layer): Promise<void> {
    const staged = this.#staged.get(chainId);
    if (staged === undefined) return;
    this.#staged.delete(chainId);
    try {
      await this.#remove(staged.writeSet);
    } finally {
      staged.chainLock.release();
    }
  }

  announce(imageId: string): void {
    this.#lease.announce(imageId);
  }

  async commit<T>(refer: () => Promise<T> | T): Promise<T> {
    const { root, db, syncLayers } = this.#context;
    const fresh = [...this.#staged.values()];
    const chainIds = fresh.map(({ layer }) => layer.chainId);
    try {
      this.#lease.add(chainIds);
      if (fresh.length > 0) await this.#sync?.finish();
      {
        using _ = await root.lock('layers');
        for (const { layer, writeSet } of fresh) writeSet.moveTo(db.layerDir(layer.chainId));
      }
      if (fresh.length > 0 && syncLayers) fsyncDirectory(db.layersDir);
      const result = await refer();
      this.#forget(fresh);
      return result;
    } catch (error) {
      await this.#takeBack(fresh);
      throw error;
    }
  }

  /** The layers are in the store: they are no longer this batch's, and who waited for them may go on. */
  #forget(fresh: readonly Staged[]): void {
    for (const { layer, writeSet, chainLock } of fresh) {
      this.#staged.delete(layer.chainId);
      writeSet.release();
      chainLock.release();
    }
  }

  /** Removes what a failed commit has renamed already; the rest stays staged, for the disposal. */
  async #takeBack(fresh: readonly Staged[]): Promise<void> {
    const registered = fresh.filter(
      ({ layer, writeSet }) => writeSet.path === this.#context.db.layerDir(layer.chainId),
    );
    this.#forget(registered);
    const chainIds = registered.map(({ layer }) => layer.chainId).reverse();
    try {
      if (chainIds.length > 0) await this.#context.release(chainIds, this.#lease.name);
    } catch {
      // The first error is the one that people must see.
      this.#lease.leaveBehind();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const { writeSet, chainLock } of [...this.#staged.values()].reverse()) {
        await this.#abandon(writeSet, await this.#context.driver());
        chainLock.release();
      }
    } finally {
      this.#staged.clear();
      this.#sync?.[Symbol.dispose]();
      this.#lease[Symbol.dispose]();
    }
  }
}

/** The files of a layer's folder, Docker's names and forms. Not synced: the filesystem is, once, before the folder gets its name. */
function writeMetadata(folder: string, layer: Layer): void {
  const write = (name: string, value: string): void =>
    writeNewFile(`${folder}/${name}`, value, { mode: 0o644, durable: false });
  write('cache-id', layer.cacheId);
  write('diff', layer.diffId);
  write('size', String(layer.size));
  if (layer.parent !== undefined) write('parent', layer.parent);
}

/** The uncompressed tar, hashed as it passes. Each chunk is hashed before it is handed on: the reader may keep or transfer it. */
async function* hashed(
  tar: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
  sync: DataSync,
): AsyncGenerator<Buffer> {
  for await (const chunk of decompress(tar)) {
    hash.update(chunk);
    const { length } = chunk;
    yield chunk;
    sync.wrote(length);
  }
}
