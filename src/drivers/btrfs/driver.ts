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
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { chmodAt } from '../../linux/at.ts';
import { createSnapshot, createSubvolume, isSubvolume } from '../../linux/btrfs.ts';
import { enableQuota, limitSubvolume } from '../../linux/btrfs-quota.ts';
import {
  makeDirectories,
  pathExists,
  readTextIfAny,
  removeFile,
  writeFileAtomic,
} from '../../linux/files.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import type { Capabilities, CreateOptions, DriverContext, StatusRow } from '../driver.ts';
import { PlainDriver } from '../plain-driver.ts';
import { guidedByTrees } from './changes.ts';
import { type BtrfsOptions, requestedSize } from './options.ts';
import { deleteSubvolume, openUp } from './remove.ts';

const CAPABILITIES: Capabilities = {
  nativeDiff: true,
  quota: true,
  quotaInMetadata: true,
  maxParents: undefined,
  hardLinksAcrossCopyUp: true,
  nanoseconds: true,
  xattrs: true,
  mounts: false,
  refusesParents: false,
  renameLowerDirectory: true,
};

const ONLY_CONTAINERS = '--storage-opt size is only supported for ReadWrite Layers';

/** See `GraphDriver`. */
export class BtrfsDriver extends PlainDriver {
  readonly name = 'btrfs';
  readonly capabilities = CAPABILITIES;
  readonly #options: BtrfsOptions;
  readonly #quotas: string;

  constructor(context: DriverContext, options: BtrfsOptions) {
    super(context, 'subvolumes', guidedByTrees);
    this.#options = options;
    this.#quotas = `${context.home}/quotas`;
  }

  /** Makes the folders and deletes what a crash left. */
  prepare(): void {
    if (!pathExists(this.layers)) {
      makeDirectories(this.context.home, 0o710);
      makeDirectories(this.layers, 0o710);
    }
    if (this.#options.minSpace > 0) enableQuota(this.layers);
    this.staging.sweep(
      (path) => this.discard(path),
      (message) => this.context.warn(message),
    );
  }

  async status(): Promise<readonly StatusRow[]> {
    return [['Backing Filesystem', 'btrfs']];
  }

  /** Docker's btrfs shows nothing. Of a limit nothing else tells: `df` has the whole filesystem's space. */
  override async metadata(id: string): Promise<Readonly<Record<string, string>> | undefined> {
    this.path(id);
    const size = readTextIfAny(`${this.#quotas}/${id}`);
    return size === undefined ? undefined : { Size: size.trim() };
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
    try {
      await this.publish(id, (built) => {
        if (parent === undefined) {
          createSubvolume(built);
          chmodAt(AT_FDCWD, built, 0o755);
        } else createSnapshot(this.path(parent), built);
        this.#limit(id, built, size);
      });
    } catch (error) {
      if (size !== undefined && !(await this.exists(id))) this.#forgetIfPossible(id);
      throw error;
    }
  }

  /** Limits a new subvolume, and puts on record what a removed layer of that id may have left. */
  #limit(id: string, built: string, size: number | undefined): void {
    if (size === undefined) {
      this.#forget(id);
      return;
    }
    enableQuota(this.layers);
    limitSubvolume(built, size);
    makeDirectories(this.#quotas, 0o700);
    writeFileAtomic(`${this.#quotas}/${id}`, String(size), { mode: 0o644 });
  }

  #forget(id: string): void {
    const record = `${this.#quotas}/${id}`;
    if (pathExists(record)) removeFile(record);
  }

  /** Where it is not, the next layer of that id does it. */
  #forgetIfPossible(id: string): void {
    try {
      this.#forget(id);
    } catch (error) {
      this.context.warn(`btrfs: the record of a limit stays: ${errorMessage(error)}`);
    }
  }

  override async remove(id: string): Promise<void> {
    await super.remove(id);
    this.#forget(id);
  }

  /** Whoever is root in a container can make its layer read-only, which then cannot be moved to another folder. */
  protected override takeAway(id: string): string | undefined {
    try {
      return super.takeAway(id);
    } catch (error) {
      const path = `${this.layers}/${id}`;
      if (!hasErrno(error, 'EROFS') || !isSubvolume(path)) throw error;
      openUp(path);
      return super.takeAway(id);
    }
  }

  protected discard(path: string): void {
    deleteSubvolume(path);
  }

  protected override path(id: string): string {
    const path = super.path(id);
    if (isSubvolume(path)) return path;
    throw new TsengineError(
      'Corrupt',
      `btrfs: ${path} is no subvolume: it was copied, or made by something else`,
    );
  }
}
