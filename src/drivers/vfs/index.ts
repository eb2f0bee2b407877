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
import { makeDirectories, makeDirectory, pathExists, removeDirectory } from '../../linux/files.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { sizeText } from '../../size-text.ts';
import { holdsLayers } from '../data.ts';
import type { Capabilities, CreateOptions, DriverContext, DriverFactory, StatusRow } from '../driver.ts';
import { LayerQuotas } from '../layer-quotas.ts';
import { PlainDriver } from '../plain-driver.ts';
import { refusalOfReadOnly } from '../read-only.ts';
import { isDirectory } from '../staging.ts';
import { parseSize, requestedQuota, SIZE_OPTION, unknownOption } from '../storage-options.ts';
import { copyTree } from './copy-tree.ts';

const NO_QUOTA = 'Filesystem does not support, or has not enabled quotas';
const ONLY_CONTAINERS = '--storage-opt size is only supported for ReadWrite Layers';

/** See `GraphDriver`. */
export class VfsDriver extends PlainDriver {
  readonly name = 'vfs';
  readonly capabilities: Capabilities;
  readonly #quotas: LayerQuotas;
  /** What layers may hold unless a container says otherwise, in bytes; 0 is no limit. */
  readonly #defaultSize: number;

  constructor(context: DriverContext, defaultSize = 0) {
    super(context, 'dir');
    const quotas = new LayerQuotas(this.layers, this.staging);
    this.#quotas = quotas;
    this.#defaultSize = defaultSize;
    this.capabilities = {
      nativeDiff: false,
      // Tried when somebody asks: it costs a device node.
      get quota() {
        return context.readOnly !== true && quotas.available;
      },
      maxParents: undefined,
      hardLinksAcrossCopyUp: true,
      nanoseconds: true,
      xattrs: true,
      mounts: false,
      missesKeptTimes: true,
      refusesParents: false,
      renameLowerDirectory: true,
    };
  }

  /** Makes the folders and deletes what a crash left. A filesystem that cannot limit layers as it should is left as it was found. */
  prepare(): void {
    const fresh = !pathExists(this.layers);
    if (fresh) {
      makeDirectories(this.context.home, 0o710);
      makeDirectories(this.layers, 0o710);
    }
    this.staging.sweep(
      (path) => this.discard(path),
      (message) => this.context.warn(message),
    );
    try {
      if (this.#defaultSize > 0) this.#mustLimit();
    } catch (error) {
      if (fresh) {
        this.staging.unmake();
        removeDirectory(this.layers);
        removeDirectory(this.context.home);
      }
      throw error;
    }
  }

  #mustLimit(): void {
    if (this.#quotas.available) return;
    throw new TsengineError('InvalidParameter', `${NO_QUOTA}: ${this.#quotas.wayOut}`);
  }

  async status(): Promise<readonly StatusRow[]> {
    return [['Backing Filesystem', fsName(statfs(this.layers).magic)]];
  }

  async create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    const quota = requestedQuota(options, (key) => `Storage opt ${key} not supported`);
    if (quota !== undefined) throw new TsengineError('InvalidParameter', ONLY_CONTAINERS);
    await this.#create(id, parent, 0);
  }

  async createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    const quota = requestedQuota(options, (key) => `Storage opt ${key} not supported`);
    if (quota !== undefined) this.#mustLimit();
    const size = quota === undefined ? this.#defaultSize : parseSize(SIZE_OPTION, quota.text);
    await this.#create(id, parent, size);
  }

  async #create(id: string, parent: string | undefined, size: number): Promise<void> {
    await this.publish(id, async (built) => {
      const source = parent === undefined ? undefined : this.path(parent);
      makeDirectory(built, 0o700);
      const project = size > 0 ? this.#quotas.count(built) : undefined;
      if (source === undefined) chmodAt(AT_FDCWD, built, 0o755);
      else await copyTree(source, built);
      if (project !== undefined) this.#limit(project, size);
    });
  }

  /** Limits a layer that has its copy. Not before: ext4 lets us pass a limit, and the container is who finds that there is no room. */
  #limit(project: number, size: number): void {
    const taken = this.#quotas.limitCounted(project, size);
    if (taken < size) return;
    throw new TsengineError(
      'InvalidParameter',
      `${SIZE_OPTION}=${sizeText(size)} leaves no room: on vfs a container is a copy of its image, which counts, and takes ${sizeText(taken)}: give more`,
    );
  }

  protected discard(path: string): void {
    // A device node of the quotas' may be left as well.
    const project = isDirectory(path) ? this.#quotas.projectOf(path) : undefined;
    removeTree(path);
    if (project !== undefined) this.#quotas.forget(project);
  }
}

/** Reads the engine's `--storage-opt` values for vfs: the size that containers have unless they say another. Words as Docker's. */
function readEngineOptions(context: DriverContext): number {
  let size = 0;
  for (const [key, value] of context.options) {
    if (key.toLowerCase() !== 'size') throw unknownOption('vfs', key, ['size']);
    size = parseSize(SIZE_OPTION, value);
  }
  return size;
}

/** vfs, as the registry knows it. */
export const vfsFactory: DriverFactory = {
  name: 'vfs',
  probe: async (context) => {
    readEngineOptions(context);
    return refusalOfReadOnly(context.home) ?? { supported: true };
  },
  hasData: (home) => holdsLayers('vfs', home),
  open: async (context) => {
    const size = readEngineOptions(context);
    if (context.readOnly === true) return (await import('./read-only.ts')).readOnlyVfs(context);
    const driver = new VfsDriver(context, size);
    driver.prepare();
    return driver;
  },
};
