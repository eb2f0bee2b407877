/**
 * The vfs driver: every layer is a whole copy of its parent, with no help from the kernel but shared blocks where the
 * filesystem has them. Slow and large, and works everywhere; the last resort, and what the others are measured by.
 *
 * On disk, as Docker 20.10 has it, below the driver's home (0710):
 *
 * ```
 * dir/            0710
 *   <id>/         the layer's tree; mode and owner are those of the layer's root
 * .tsengine/      ours: layers that are being copied or removed (../staging.ts)
 * ```
 *
 * A layer is copied in `.tsengine` and renamed into place, so that a folder `<id>` is always whole. A crash leaves
 * folders in `.tsengine`, which the next start deletes.
 */
import { TsengineError } from '../../errors.ts';
import { chmodAt } from '../../linux/at.ts';
import { listDirectory, makeDirectories, makeDirectory, pathExists } from '../../linux/files.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { holdsLayers } from '../data.ts';
import type {
  Applied,
  ApplyOptions,
  Capabilities,
  Change,
  CreateOptions,
  DiffSource,
  DriverContext,
  DriverFactory,
  GraphDriver,
  MountedLayer,
  StatusRow,
} from '../driver.ts';
import { checkLayerId, isLayerId, layerExists, noSuchLayer } from '../layer-id.ts';
import { naiveChanges, naiveDiff, naiveDiffSize } from '../naive-diff.ts';
import { isDirectory, Staging } from '../staging.ts';
import { requestedQuota } from '../storage-options.ts';
import { copyTree } from './copy-tree.ts';

const NO_QUOTA = 'Filesystem does not support, or has not enabled quotas';

/** See `GraphDriver`. */
export class VfsDriver implements GraphDriver {
  readonly name = 'vfs';
  readonly capabilities: Capabilities = {
    nativeDiff: false,
    quota: false,
    maxParents: undefined,
    hardLinksAcrossCopyUp: true,
    nanoseconds: true,
    xattrs: true,
    mounts: false,
    renameLowerDirectory: true,
  };
  readonly #context: DriverContext;
  readonly #staging: Staging;
  readonly #layers: string;

  constructor(context: DriverContext) {
    this.#context = context;
    this.#layers = `${context.home}/dir`;
    this.#staging = new Staging(context.home);
  }

  /** Makes the folders and deletes what a crash left. */
  prepare(): void {
    if (!pathExists(this.#layers)) {
      makeDirectories(this.#context.home, 0o710);
      makeDirectories(this.#layers, 0o710);
    }
    this.#staging.sweep(removeTree);
  }

  async status(): Promise<readonly StatusRow[]> {
    return [['Backing Filesystem', fsName(statfs(this.#layers).magic)]];
  }

  async create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    const quota = requestedQuota(options, (key) => `Storage opt ${key} not supported`);
    if (quota !== undefined) throw new TsengineError('InvalidParameter', NO_QUOTA);
    checkLayerId(id);
    if (await this.exists(id)) throw layerExists(this.name, id);
    if (parent !== undefined) this.#path(parent);
    using _held = await this.#staging.hold();
    const built = this.#staging.name(id);
    try {
      makeDirectory(built, 0o700);
      if (parent === undefined) chmodAt(AT_FDCWD, built, 0o755);
      else await copyTree(this.#path(parent), built);
      if (!this.#staging.publish(built, `${this.#layers}/${id}`)) throw layerExists(this.name, id);
    } catch (error) {
      removeTree(built);
      throw error;
    }
  }

  async createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    await this.create(id, parent, options);
  }

  async get(id: string): Promise<MountedLayer> {
    return { path: this.#path(id), [Symbol.asyncDispose]: async () => {} };
  }

  async put(id: string): Promise<void> {
    checkLayerId(id);
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    if (!(await this.exists(id))) return;
    using _held = await this.#staging.hold();
    const away = this.#staging.takeAway(`${this.#layers}/${id}`, id);
    if (away !== undefined) removeTree(away);
  }

  async exists(id: string): Promise<boolean> {
    return isLayerId(id) && isDirectory(`${this.#layers}/${id}`);
  }

  async metadata(id: string): Promise<undefined> {
    this.#path(id);
  }

  async list(): Promise<readonly string[]> {
    return listDirectory(this.#layers).filter(isLayerId);
  }

  diff(id: string, parent: string | undefined): AsyncIterable<Buffer> {
    return naiveDiff(this, id, parent, (message) => this.#context.warn(message));
  }

  async changes(id: string, parent: string | undefined): Promise<readonly Change[]> {
    return await naiveChanges(this, id, parent);
  }

  async applyDiff(
    id: string,
    _parent: string | undefined,
    tar: AsyncIterable<Buffer>,
    options: ApplyOptions = {},
  ): Promise<Applied> {
    const { unpackLayer } = await import('../../archive/unpack.ts');
    const { size, warnings } = await unpackLayer(tar, this.#path(id), { whiteouts: 'delete', ...options });
    for (const warning of warnings) this.#context.warn(warning);
    return { size };
  }

  async diffSize(id: string, parent: string | undefined): Promise<number> {
    return await naiveDiffSize(this, id, parent);
  }

  async diffSource(id: string): Promise<DiffSource> {
    return { root: this.#path(id), [Symbol.asyncDispose]: async () => {} };
  }

  async cleanup(): Promise<void> {
    this.#staging.sweep(removeTree);
  }

  /** Where the layer is. */
  #path(id: string): string {
    checkLayerId(id);
    const path = `${this.#layers}/${id}`;
    if (!isDirectory(path)) throw noSuchLayer(this.name, id);
    return path;
  }
}

/** Reads the engine's `--storage-opt` values for vfs. Words as Docker's. */
function checkEngineOptions(context: DriverContext): void {
  for (const [key] of context.options) {
    const words = key.toLowerCase() === 'size' ? NO_QUOTA : `unknown option ${key} for vfs`;
    throw new TsengineError('InvalidParameter', words);
  }
}

/** vfs, as the registry knows it. */
export const vfsFactory: DriverFactory = {
  name: 'vfs',
  probe: async () => ({ supported: true }),
  hasData: (home) => holdsLayers('vfs', home),
  open: async (context) => {
    checkEngineOptions(context);
    if (context.readOnly === true) return (await import('./read-only.ts')).readOnlyVfs(context);
    const driver = new VfsDriver(context);
    driver.prepare();
    return driver;
  },
};
