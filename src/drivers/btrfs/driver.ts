/**
 * The btrfs driver: every layer is a subvolume, and one with a parent began as a snapshot of it.
 *
 * On disk, as Docker 20.10 has it, below the driver's home (0710):
 *
 * ```
 * subvolumes/     0710
 *   <id>/         the layer's subvolume; mode and owner are those of the layer's root
 * quotas/         0700, once a container was limited
 *   <id>          what it is limited to, in bytes, as text
 * .tsengine/      ours: subvolumes that are being made or deleted (../staging.ts)
 * ```
 *
 * A subvolume is made in `.tsengine` and renamed into place with its limit on it. A crash leaves subvolumes in `.tsengine`, and
 * files in `quotas` of layers that are not there; the next start deletes the former, the next removal or creation of that
 * id the latter.
 */
import { TsengineError } from '../../errors.ts';
import { chmodAt } from '../../linux/at.ts';
import { createSnapshot, createSubvolume, isSubvolume } from '../../linux/btrfs.ts';
import { enableQuota, limitSubvolume } from '../../linux/btrfs-quota.ts';
import {
  listDirectory,
  makeDirectories,
  pathExists,
  removeFile,
  writeFileAtomic,
} from '../../linux/files.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import type {
  Applied,
  ApplyOptions,
  Capabilities,
  Change,
  CreateOptions,
  DiffSource,
  DriverContext,
  GraphDriver,
  MountedLayer,
  StatusRow,
} from '../driver.ts';
import { checkLayerId, isLayerId, layerExists, noSuchLayer } from '../layer-id.ts';
import { naiveChanges, naiveDiff, naiveDiffSize } from '../naive-diff.ts';
import { isDirectory, Staging } from '../staging.ts';
import { guidedByTrees } from './changes.ts';
import { type BtrfsOptions, requestedSize } from './options.ts';
import { deleteSubvolume } from './remove.ts';

const CAPABILITIES: Capabilities = {
  nativeDiff: true,
  quota: true,
  maxParents: undefined,
  hardLinksAcrossCopyUp: true,
  nanoseconds: true,
  xattrs: true,
  mounts: false,
  renameLowerDirectory: true,
};

const ONLY_CONTAINERS = '--storage-opt size is only supported for ReadWrite Layers';

/** See `GraphDriver`. */
export class BtrfsDriver implements GraphDriver {
  readonly name = 'btrfs';
  readonly capabilities = CAPABILITIES;
  readonly #context: DriverContext;
  readonly #options: BtrfsOptions;
  readonly #staging: Staging;
  readonly #layers: string;
  readonly #quotas: string;

  constructor(context: DriverContext, options: BtrfsOptions) {
    this.#context = context;
    this.#options = options;
    this.#layers = `${context.home}/subvolumes`;
    this.#quotas = `${context.home}/quotas`;
    this.#staging = new Staging(context.home);
  }

  /** Makes the folders and deletes what a crash left. */
  prepare(): void {
    if (!pathExists(this.#layers)) {
      makeDirectories(this.#context.home, 0o710);
      makeDirectories(this.#layers, 0o710);
    }
    if (this.#options.minSpace > 0) enableQuota(this.#layers);
    this.#staging.sweep(deleteSubvolume);
  }

  async status(): Promise<readonly StatusRow[]> {
    return [['Backing Filesystem', 'btrfs']];
  }

  async create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    if (requestedSize(options, this.#options) !== undefined)
      throw new TsengineError('InvalidParameter', ONLY_CONTAINERS);
    await this.#create(id, parent, undefined);
  }

  async createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    await this.#create(id, parent, requestedSize(options, this.#options));
  }

  async #create(id: string, parent: string | undefined, size: number | undefined): Promise<void> {
    checkLayerId(id);
    if (await this.exists(id)) throw layerExists(this.name, id);
    const source = parent === undefined ? undefined : this.#path(parent);
    using _held = await this.#staging.hold();
    const built = this.#staging.name(id);
    try {
      if (source === undefined) {
        createSubvolume(built);
        chmodAt(AT_FDCWD, built, 0o755);
      } else createSnapshot(source, built);
      this.#limit(id, built, size);
      if (!this.#staging.publish(built, `${this.#layers}/${id}`)) throw layerExists(this.name, id);
    } catch (error) {
      if (pathExists(built)) deleteSubvolume(built);
      throw error;
    }
  }

  /** Limits a new subvolume, and puts on record what a removed layer of that id may have left. */
  #limit(id: string, built: string, size: number | undefined): void {
    const record = `${this.#quotas}/${id}`;
    if (size === undefined) {
      if (pathExists(record)) removeFile(record);
      return;
    }
    enableQuota(this.#layers);
    limitSubvolume(built, size);
    makeDirectories(this.#quotas, 0o700);
    writeFileAtomic(record, String(size), { mode: 0o644 });
  }

  async get(id: string): Promise<MountedLayer> {
    return { path: this.#path(id), [Symbol.asyncDispose]: async () => {} };
  }

  async put(id: string): Promise<void> {
    checkLayerId(id);
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    const record = `${this.#quotas}/${id}`;
    if (await this.exists(id)) {
      using _held = await this.#staging.hold();
      const away = this.#staging.takeAway(`${this.#layers}/${id}`, id);
      if (away !== undefined) deleteSubvolume(away);
    }
    if (pathExists(record)) removeFile(record);
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
    return naiveDiff(this, id, parent, (message) => this.#context.warn(message), guidedByTrees);
  }

  async changes(id: string, parent: string | undefined): Promise<readonly Change[]> {
    return await naiveChanges(this, id, parent, guidedByTrees);
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
    return await naiveDiffSize(this, id, parent, guidedByTrees);
  }

  async diffSource(id: string): Promise<DiffSource> {
    return { root: this.#path(id), [Symbol.asyncDispose]: async () => {} };
  }

  async cleanup(): Promise<void> {
    this.#staging.sweep(deleteSubvolume);
  }

  /** Where the layer is. */
  #path(id: string): string {
    checkLayerId(id);
    const path = `${this.#layers}/${id}`;
    if (!isDirectory(path)) throw noSuchLayer(this.name, id);
    if (!isSubvolume(path))
      throw new TsengineError(
        'Corrupt',
        `btrfs: ${path} is no subvolume: it was copied, or made by something else`,
      );
    return path;
  }
}
