/**
 * `size` of a container's `--storage-opt`, for drivers whose layers are directories: each such layer is a project of its
 * own, whose limit the filesystem keeps, as with Docker.
 *
 * A filesystem has one set of projects, and perhaps several data roots, Docker's among them, which counts up from one. So
 * the number of a new project is drawn at random, high above those, and is nowhere recorded but in the layer itself; two
 * equal ones among a thousand are less likely than one in a thousand thousands. A crash leaves a device node in the
 * staging folder, which the next sweep deletes, or the limit of a project to which nothing belongs.
 */
import { hasErrno, TsengineError } from '../errors.ts';
import { mknodAt } from '../linux/at.ts';
import { removeFile } from '../linux/files.ts';
import {
  enforcesProjectQuotas,
  limitProject,
  projectOf,
  setProject,
  spaceOfProject,
} from '../linux/project-quota.ts';
import { randomBytes } from '../linux/random.ts';
import { AT_FDCWD, lstat, S_IFBLK } from '../linux/stat.ts';
import { fsName, statfs } from '../linux/statfs.ts';
import { sizeText } from '../size-text.ts';
import type { Staging } from './staging.ts';

/** What filesystems say that know no projects. */
const NO_PROJECTS = ['ENOTTY', 'EOPNOTSUPP', 'EINVAL', 'ENOSYS'] as const;

/** Bytes: a few folders of the largest blocks that these filesystems have on most machines. */
const LEAST = 64 * 1024;

/** Docker's counting does not come here, and has room above. */
const LOWEST = 2 ** 24;
const HIGHEST = 2 ** 31;

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
      if (hasErrno(error, ...NO_PROJECTS, 'EPERM', 'EACCES')) return false;
      throw error;
    }
  }

  /** What the filesystem wants to keep limits, for the end of a line that says that it does not. */
  get wayOut(): string {
    return wayToQuotas(this.#layers);
  }

  /**
   * Limits what the new, empty directory of a layer in the staging folder will hold. Refuses less than the layer's own folders take.
   * The caller holds the staging folder.
   */
  limit(directory: string, bytes: number): void {
    if (bytes < LEAST)
      throw new TsengineError(
        'InvalidParameter',
        `a size of ${sizeText(bytes)} has no room for a container's own folders: give at least ${sizeText(LEAST)}, as size=1G`,
      );
    const project = newProject();
    this.#withDevice((device) => limitProject(device, project, bytes));
    setProject(directory, project);
  }

  /** Has what will be in a new, empty directory counted, without a limit yet. Gives the project. */
  count(directory: string): number {
    const project = newProject();
    setProject(directory, project);
    return project;
  }

  /**
   * Limits what is counted as a project, unless that has no room left by now. Gives how many bytes it takes. The caller holds the
   * staging folder.
   */
  limitCounted(project: number, bytes: number): number {
    return this.#withDevice((device) => {
      const taken = spaceOfProject(device, project);
      if (taken < bytes) limitProject(device, project, bytes);
      return taken;
    });
  }

  /**
   * The project of a layer that is about to be removed, for `forget`; `undefined` when the layer has none of its own.
   * Costs an ioctl.
   */
  projectOf(directory: string): number | undefined {
    try {
      const project = projectOf(directory);
      return project === 0 || project === projectOf(this.#layers) ? undefined : project;
    } catch (error) {
      if (hasErrno(error, ...NO_PROJECTS, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Takes away the limit of a project whose layer is gone. The caller holds the staging folder. */
  forget(project: number): void {
    try {
      this.#withDevice((device) => limitProject(device, project, 0));
    } catch {
      // Of no consequence: nothing belongs to the project, and nothing will.
    }
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

function wayToQuotas(folder: string): string {
  const found = fsName(statfs(folder).magic);
  if (found === 'xfs') return `${folder} is on xfs: mount that with pquota (needs a kernel with XFS_QUOTA)`;
  if (found === 'extfs') {
    return `${folder} is on ext4: give that project quotas (tune2fs -O quota,project, while it is not mounted) and mount it with prjquota, where the kernel has QFMT_V2`;
  }
  return `${folder} is on ${found}: put the data root on xfs mounted with pquota, or on ext4 made with -O quota,project and mounted with prjquota`;
}

function newProject(): number {
  return (LOWEST + (randomBytes(4).readUInt32LE() % (HIGHEST - LOWEST))) >>> 0;
}
