/**
 * `size` of a container's `--storage-opt`, for drivers whose layers are directories: each such layer is a project of its
 * own, whose limit the filesystem keeps. Docker does the same, so that each engine goes on with the other's projects.
 *
 * A project's number is one more than the highest that a layer has, so that nothing is recorded anywhere else. The limit
 * of a layer that is gone stays with its number until the number is given again; nothing belongs to it meanwhile. A
 * crash leaves a device node in the staging folder, which the next sweep deletes.
 */
import { hasErrno } from '../errors.ts';
import { mknodAt } from '../linux/at.ts';
import { listDirectory, removeFile } from '../linux/files.ts';
import { lockFile } from '../linux/flock.ts';
import { enforcesProjectQuotas, limitProject, projectOf, setProject } from '../linux/project-quota.ts';
import { AT_FDCWD, lstat, S_IFBLK } from '../linux/stat.ts';
import { isDirectory, type Staging } from './staging.ts';

/** The project quotas of the filesystem that holds a driver's layers. */
export class LayerQuotas {
  readonly #layers: string;
  readonly #staging: Staging;
  #available: boolean | undefined;

  /** `layers` is the folder in which each layer has one. */
  constructor(layers: string, staging: Staging) {
    this.#layers = layers;
    this.#staging = staging;
  }

  /** Whether the filesystem keeps limits. Tried, not told from mount options. */
  get available(): boolean {
    this.#available ??= this.#try();
    return this.#available;
  }

  #try(): boolean {
    try {
      projectOf(this.#layers);
      using _held = this.#staging.holdNow();
      return this.#withDevice(enforcesProjectQuotas);
    } catch (error) {
      // No project numbers; or no device nodes, in a user namespace or on a mount that takes none.
      if (hasErrno(error, 'ENOTTY', 'EOPNOTSUPP', 'EINVAL', 'EPERM', 'EACCES', 'ENOSYS')) return false;
      throw error;
    }
  }

  /** Limits what the new, empty directory of a layer in the staging folder will hold. The caller holds that folder. */
  async limit(directory: string, bytes: number): Promise<void> {
    // Until the directory has its number, nobody else may look for the next one.
    using _ = await lockFile(`${this.#staging.path}/quota`, 'exclusive', { ephemeral: true });
    const project = this.#nextProject();
    this.#withDevice((device) => limitProject(device, project, bytes));
    setProject(directory, project);
  }

  #nextProject(): number {
    const all = [this.#layers, this.#staging.path].flatMap((folder) =>
      listDirectory(folder).map((name) => `${folder}/${name}`),
    );
    const used = all.filter(isDirectory).map((path) => projectIfThere(path));
    return 1 + used.reduce((most, one) => Math.max(most, one), projectOf(this.#layers));
  }

  /** quotactl(2) names a filesystem by its block device, which need not have a name that we can see. */
  #withDevice<T>(use: (device: string) => T): T {
    const { devMajor, devMinor } = lstat(this.#layers);
    const device = this.#staging.name('device');
    mknodAt(AT_FDCWD, device, S_IFBLK | 0o600, devMajor, devMinor);
    try {
      return use(device);
    } finally {
      removeFile(device);
    }
  }
}

/** 0 for what went away meanwhile. */
function projectIfThere(directory: string): number {
  try {
    return projectOf(directory);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}
