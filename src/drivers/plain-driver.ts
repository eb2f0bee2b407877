/**
 * What drivers have in common whose layers are directories, each whole by itself: nothing is mounted, nothing counted. How a
 * layer is made, and what it is made of besides its files, is theirs.
 */
import { listDirectory } from '../linux/files.ts';
import type {
  Applied,
  ApplyOptions,
  Capabilities,
  Change,
  CreateOptions,
  DiffSource,
  DriverContext,
  DriverName,
  GraphDriver,
  MountedLayer,
  StatusRow,
} from './driver.ts';
import { checkLayerId, isLayerId, layerExists, noSuchLayer } from './layer-id.ts';
import { type Guided, naiveChanges, naiveDiff, naiveDiffSize } from './naive-diff.ts';
import { isDirectory, Staging } from './staging.ts';

/** See `GraphDriver`. */
export abstract class PlainDriver implements GraphDriver {
  abstract readonly name: DriverName;
  abstract readonly capabilities: Capabilities;
  protected readonly context: DriverContext;
  protected readonly staging: Staging;
  /** The folder in which each layer has its own, by its id. */
  protected readonly layers: string;
  readonly #guided: Guided | undefined;

  /** `folder` is that of the layers in the driver's home; `guided` tells what of two layers need be compared. */
  constructor(context: DriverContext, folder: string, guided?: Guided) {
    this.context = context;
    this.staging = new Staging(context.home);
    this.layers = `${context.home}/${folder}`;
    this.#guided = guided;
  }

  abstract status(): Promise<readonly StatusRow[]>;
  abstract create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void>;
  abstract createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void>;

  /** Deletes a layer's directory, wherever it is by now. */
  protected abstract discard(path: string): void;

  /**
   * Lets `fill` make a directory in the staging folder and renames it to its place. Fails before that where the id is taken,
   * and leaves nothing when it fails.
   */
  protected async publish(id: string, fill: (built: string) => void | Promise<void>): Promise<void> {
    checkLayerId(id);
    if (await this.exists(id)) throw layerExists(this.name, id);
    using _held = await this.staging.hold();
    const built = this.staging.name(id);
    try {
      await fill(built);
      if (!this.staging.publish(built, `${this.layers}/${id}`)) throw layerExists(this.name, id);
    } catch (error) {
      if (isDirectory(built)) this.discard(built);
      throw error;
    }
  }

  async get(id: string): Promise<MountedLayer> {
    return { path: this.path(id), [Symbol.asyncDispose]: async () => {} };
  }

  async put(id: string): Promise<void> {
    checkLayerId(id);
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    if (!(await this.exists(id))) return;
    using _held = await this.staging.hold();
    const away = this.takeAway(id);
    if (away !== undefined) this.discard(away);
  }

  /** Renames a layer into the staging folder. Gives where it is now; `undefined` when it is not there. */
  protected takeAway(id: string): string | undefined {
    return this.staging.takeAway(`${this.layers}/${id}`, id);
  }

  async exists(id: string): Promise<boolean> {
    return isLayerId(id) && isDirectory(`${this.layers}/${id}`);
  }

  async metadata(id: string): Promise<Readonly<Record<string, string>> | undefined> {
    this.path(id);
    return undefined;
  }

  async list(): Promise<readonly string[]> {
    return listDirectory(this.layers).filter(isLayerId);
  }

  diff(id: string, parent: string | undefined): AsyncIterable<Buffer> {
    return naiveDiff(this, id, parent, (message) => this.context.warn(message), this.#guided);
  }

  async changes(id: string, parent: string | undefined): Promise<readonly Change[]> {
    return await naiveChanges(this, id, parent, this.#guided);
  }

  async applyDiff(
    id: string,
    _parent: string | undefined,
    tar: AsyncIterable<Buffer>,
    options: ApplyOptions = {},
  ): Promise<Applied> {
    const { unpackLayer } = await import('../archive/unpack.ts');
    const { size, warnings } = await unpackLayer(tar, this.path(id), { whiteouts: 'delete', ...options });
    for (const warning of warnings) this.context.warn(warning);
    return { size };
  }

  async diffSize(id: string, parent: string | undefined): Promise<number> {
    return await naiveDiffSize(this, id, parent, this.#guided);
  }

  async diffSource(id: string): Promise<DiffSource> {
    return { root: this.path(id), [Symbol.asyncDispose]: async () => {} };
  }

  async cleanup(): Promise<void> {
    this.staging.sweep(
      (path) => this.discard(path),
      (message) => this.context.warn(message),
    );
  }

  /** Where the layer is. */
  protected path(id: string): string {
    checkLayerId(id);
    const path = `${this.layers}/${id}`;
    if (!isDirectory(path)) throw noSuchLayer(this.name, id);
    return path;
  }
}
