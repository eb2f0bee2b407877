/**
 * The zfs driver: every layer is a dataset, and one with a parent began as a clone of a snapshot of it.
 *
 * As Docker 20.10 has it, `fsname` being the dataset on which the data root is, or `zfs.fsname`:
 *
 * ```
 * <fsname>/<id>           the layer; mountpoint=legacy, quota where a size was asked for
 * <fsname>/<parent>@<n>   what a clone of <parent> began as; destroyed, with the last clone of it, by ZFS itself
 * ```
 *
 * and below the driver's home (0710):
 *
 * ```
 * graph/<id>      while the layer is mounted: where
 * tsengine.json   ours: the mark by which the store knows its datasets (store-mark.ts)
 * .tsengine/      ours: a file for each layer that is being made, which names the snapshot it is made of (../staging.ts)
 * ```
 *
 * A layer is made in three steps, each of which the kernel does whole: snapshot, clone with all its properties, deferred destruction
 * of the snapshot. A kill leaves the first one, or the first two, and the file that names the snapshot: the next start
 * has it destroyed. A clone that is there is whole. (A loss of power between the clone and its properties leaves one without
 * `mountpoint=legacy`, which the next start destroys.) A layer is removed in one step, the snapshots it may have before it.
 */

import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { runCommand } from '../../linux/command.ts';
import {
  makeDirectories,
  makeDirectory,
  pathExists,
  readText,
  readTextIfAny,
  removeDirectory,
  removeFile,
  writeNewFile,
} from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { syncFilesystemOf } from '../../linux/sync.ts';
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
  MountOptions,
  StatusRow,
} from '../driver.ts';
import {
  checkLayerId,
  isLayerId,
  layerExists,
  layerHasChildren,
  layerInUse,
  noSuchLayer,
} from '../layer-id.ts';
import { type CountedMount, isMountPoint, MountCounter } from '../mount-counter.ts';
import { type Guided, naiveChanges, naiveDiff, naiveDiffSize } from '../naive-diff.ts';
import { Staging } from '../staging.ts';
import { openToRead, sweepViews } from '../view.ts';
import { guidedByStream } from './changes.ts';
import type { Datasets } from './datasets.ts';
import { busyElsewhere, mountDataset, mountToRead } from './mount.ts';
import { requestedSize } from './options.ts';
import { markOf, readMark, type StoreMark } from './store-mark.ts';

/** What it can do with the kernel's module. */
export const KERNEL_CAPABILITIES: Capabilities = {
  nativeDiff: true,
  quota: true,
  maxParents: undefined,
  hardLinksAcrossCopyUp: true,
  nanoseconds: true,
  xattrs: true,
  mounts: true,
  refusesParents: true,
  renameLowerDirectory: true,
};

/** See `GraphDriver`. */
export class ZfsDriver implements GraphDriver {
  readonly name = 'zfs';
  readonly capabilities: Capabilities = KERNEL_CAPABILITIES;
  protected readonly context: DriverContext;
  protected readonly datasets: Datasets;
  protected readonly counter: MountCounter;
  readonly #staging: Staging;
  readonly #graph: string;
  #mark: StoreMark | undefined;

  constructor(context: DriverContext, datasets: Datasets) {
    this.context = context;
    this.datasets = datasets;
    this.counter = new MountCounter(context.runHome);
    this.#staging = new Staging(context.home);
    this.#graph = graphOf(context);
  }

  /** Makes the home and takes back what a crash left. */
  async prepare(): Promise<void> {
    if (!pathExists(this.context.home)) makeDirectories(this.context.home, 0o710);
    await this.#staging.sweepAsync(
      (path) => this.#takeBack(path),
      (message) => this.context.warn(message),
    );
    this.counter.sweep();
    sweepViews(this.context.runHome);
  }

  /** What a killed `create` left, told by its file. */
  async #takeBack(path: string): Promise<void> {
    const [, id] = /^(.+)\.\d+\.\d+$/.exec(basename(path)) ?? [];
    for (const snapshot of (readTextIfAny(path) ?? '').split('\n')) {
      if (snapshot.startsWith(`${this.datasets.fsName}/`)) await this.datasets.dropSnapshot(snapshot);
    }
    if (id !== undefined && (await this.datasets.exists(id)) && !(await this.datasets.isWhole(id))) {
      await this.datasets.destroy(id);
    }
    removeFile(path);
  }

  async status(): Promise<readonly StatusRow[]> {
    const { fsName } = this.datasets;
    const [pool = ''] = fsName.split('/');
    const [own, health] = await Promise.all([
      this.datasets.properties(['used', 'available', 'quota', 'compression']),
      runCommand('zpool', ['list', '-H', '-o', 'health', pool]),
    ]);
    const [used = '', available = '', quota = '', compression = ''] = own;
    return [
      ['Zpool', pool],
      ['Zpool Health', health.code === 0 ? health.stdout.toString().trim() : 'not available'],
      ['Parent Dataset', fsName],
      ['Space Used By Parent', used],
      ['Space Available', available],
      ['Parent Quota', quota === '0' ? 'no' : quota],
      ['Compression', compression],
      ['Backend', this.title()],
    ];
  }

  /** What serves the pool, in words. */
  protected title(): string {
    return kernelTitle();
  }

  async create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    await this.createReadWrite(id, parent, options);
  }

  async createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    checkLayerId(id);
    if (parent !== undefined) checkLayerId(parent);
    const quota = requestedSize(options);
    if (await this.datasets.exists(id)) throw layerExists(this.name, id);
    using _held = await this.#staging.hold();
    const layer = { mark: await this.#ownMark(), quota };
    const snapshot = parent === undefined ? '' : this.datasets.snapshotName(parent);
    const record = this.#staging.name(id);
    try {
      writeNewFile(record, snapshot, { durable: false });
      if (parent === undefined) await this.datasets.create(id, layer);
      else await this.#clone(id, parent, snapshot, layer);
    } catch (error) {
      if (hasErrno(error, 'EEXIST')) throw layerExists(this.name, id);
      throw hasErrno(error, 'ENOSPC', 'EDQUOT') ? poolFull(id, this.datasets.fsName, error) : error;
    } finally {
      removeFile(record);
    }
  }

  async #ownMark(): Promise<StoreMark> {
    using _held = await this.#staging.hold();
    this.#mark ??= await markOf(this.context.home, this.#graph, `${this.#staging.path}/mark`);
    return this.#mark;
  }

  async #clone(
    id: string,
    parent: string,
    snapshot: string,
    layer: Parameters<Datasets['clone']>[2],
  ): Promise<void> {
    try {
      await this.datasets.snapshot(snapshot);
    } catch (error) {
      throw hasErrno(error, 'ENOENT') ? noSuchLayer(this.name, parent) : error;
    }
    try {
      await this.datasets.clone(id, snapshot, layer);
    } finally {
      // The clone needs it no more by its name.
      await this.datasets.dropOrWarn((message) => this.context.warn(message), snapshot);
    }
  }

  async get(id: string, mountLabel?: string, options: MountOptions = {}): Promise<MountedLayer> {
    checkLayerId(id);
    const point = this.point(id, mountLabel);
    if (options.isReadOnly === true) return await this.openToRead(id, point);
    // What that folder tells of the store is told before there is one.
    if (!pathExists(this.#graph)) {
      await this.#mustExist(id);
      await this.#ownMark();
    }
    return await this.counter.mounted(id, point);
  }

  /** Mounts the layer for who fills it, and has it to himself. */
  async #alone(id: string): Promise<MountedLayer> {
    checkLayerId(id);
    if (!pathExists(this.#graph)) {
      await this.#mustExist(id);
      await this.#ownMark();
    }
    return await this.counter.alone(id, this.point(id, undefined));
  }

  /** Opens the layer for who only reads. */
  protected async openToRead(id: string, { path }: CountedMount): Promise<MountedLayer> {
    return await openToRead(this.context.runHome, path, (target) => this.mountToRead(id, target));
  }

  /** Mounts the layer so that it can only be read. */
  protected mountToRead(id: string, target: string): void {
    try {
      mountToRead(this.datasets.name(id), target);
    } catch (error) {
      throw this.#told(id, error);
    }
  }

  /** Mounts the layer at a folder, which is there and empty. `ENOENT` without it. */
  protected async mountAt(id: string, path: string, label: string | undefined): Promise<void> {
    mountDataset(this.datasets.name(id), path, label);
  }

  /** Unmounts what is mounted at a folder. What has a file of it open goes on. */
  protected unmountAt(path: string): void {
    unmount(path, MNT_DETACH);
  }

  async put(id: string): Promise<void> {
    checkLayerId(id);
    await this.counter.release(id, this.point(id, undefined));
  }

  /** How the layer is mounted, and unmounted. */
  protected point(id: string, label: string | undefined): CountedMount {
    const path = `${this.#graph}/${id}`;
    return {
      path,
      mount: () => this.#mount(id, path, label),
      unmount: () => this.#unmount(path),
    };
  }

  async #mount(id: string, path: string, label: string | undefined): Promise<void> {
    if (!pathExists(this.#graph)) makeDirectories(this.#graph, 0o755);
    try {
      makeDirectory(path, 0o700);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    try {
      await this.mountAt(id, path, label);
    } catch (error) {
      this.#unmount(path);
      throw this.#told(id, error);
    }
  }

  #unmount(path: string): void {
    if (isMountPoint(path)) this.unmountAt(path);
    try {
      removeDirectory(path);
    } catch {
      // It is not there, because of a kill before it was made or after it was removed. Or it cannot be removed: empty as it
      // is it does no harm, and the next release tries again.
    }
  }

  #told(id: string, error: unknown): unknown {
    return hasErrno(error, 'ENOENT') ? noSuchLayer(this.name, id) : error;
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    using _lock = await this.counter.lock(id);
    const point = this.point(id, undefined);
    const users = this.counter.settle(id, point);
    if (users > 0) throw layerInUse(this.name, id, users);
    let clones: readonly string[];
    try {
      clones = await this.datasets.destroy(id);
    } catch (error) {
      throw hasErrno(error, 'EBUSY') ? busyElsewhere(id, this.datasets.name(id), error) : error;
    }
    const [child] = clones;
    if (child !== undefined) throw layerHasChildren(this.name, id, basename(child));
    // A kill before the mount or after it, of who filled the layer alone, leaves its mount point, which nobody counts.
    this.#unmount(point.path);
  }

  async exists(id: string): Promise<boolean> {
    return isLayerId(id) && (await this.datasets.exists(id));
  }

  async metadata(id: string): Promise<Readonly<Record<string, string>>> {
    await this.#mustExist(id);
    return { Mountpoint: `${this.#graph}/${id}`, Dataset: this.datasets.name(id) };
  }

  async list(): Promise<readonly string[]> {
    this.#mark ??= readMark(this.context.home);
    return await this.datasets.list(this.#mark, this.#mark?.unmarked ?? pathExists(this.#graph));
  }

  /** What tells which of two layers' files need be compared. */
  protected guided(id: string, parent: string): Guided | undefined {
    const warn = (message: string): void => this.context.warn(message);
    return guidedByStream({ datasets: this.datasets, staging: this.#staging, warn }, id, parent);
  }

  #guided(id: string, parent: string | undefined): Guided | undefined {
    return parent === undefined ? undefined : this.guided(id, parent);
  }

  diff(id: string, parent: string | undefined): AsyncIterable<Buffer> {
    const warn = (message: string): void => this.context.warn(message);
    return naiveDiff(this, id, parent, warn, this.#guided(id, parent));
  }

  async changes(id: string, parent: string | undefined): Promise<readonly Change[]> {
    return await naiveChanges(this, id, parent, this.#guided(id, parent));
  }

  async applyDiff(
    id: string,
    _parent: string | undefined,
    tar: AsyncIterable<Buffer>,
    options: ApplyOptions = {},
  ): Promise<Applied> {
    await using mounted = await this.#alone(id);
    const { unpackLayer } = await import('../../archive/unpack.ts');
    const { size, warnings } = await unpackLayer(tar, mounted.path, { whiteouts: 'delete', ...options });
    for (const warning of warnings) this.context.warn(warning);
    await this.sync(id, mounted.path);
    return { size };
  }

  /** Brings a layer to disk: the caller syncs the data root's filesystem, and each dataset is another one. */
  protected async sync(_id: string, path: string): Promise<void> {
    await syncFilesystemOf(path);
  }

  async diffSize(id: string, parent: string | undefined): Promise<number> {
    return await naiveDiffSize(this, id, parent, this.#guided(id, parent));
  }

  async diffSource(id: string): Promise<DiffSource> {
    const mounted = await this.get(id);
    return { root: mounted.path, [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose]() };
  }

  async cleanup(): Promise<void> {
    if (!pathExists(this.context.home)) return;
    const prefix = Buffer.from(`${realpathSync.native(this.context.home)}/graph/`);
    // From the innermost: a container's own mounts may be left inside its layer's.
    const ours = readMountInfo().filter(({ mountPoint }) => mountPoint.indexOf(prefix) === 0);
    for (const { mountPoint } of ours.reverse()) {
      const isLayer = !mountPoint.subarray(prefix.length).includes('/');
      if (isLayer) this.#unmount(mountPoint.toString());
      else unmount(mountPoint, MNT_DETACH);
    }
    this.counter.forget();
    await this.#staging.sweepAsync(
      (path) => this.#takeBack(path),
      (message) => this.context.warn(message),
    );
  }

  async #mustExist(id: string): Promise<void> {
    checkLayerId(id);
    if (!(await this.datasets.exists(id))) throw noSuchLayer(this.name, id);
  }
}

function poolFull(id: string, dataset: string, cause: unknown): TsengineError {
  const [pool = ''] = dataset.split('/');
  return new TsengineError(
    'System',
    `zfs: cannot make layer ${id}: ${errorMessage(cause)}: remove images and containers, raise the quota of ${dataset} if it has one, or give the pool ${pool} a disk with zpool add`,
    { cause },
  );
}

/** Where the layers of a store are mounted. */
export function graphOf({ home }: Pick<DriverContext, 'home'>): string {
  return `${home}/graph`;
}

/** What serves a pool of the kernel's module, in words. */
export function kernelTitle(): string {
  return `OpenZFS ${readText('/sys/module/zfs/version').trim()}, module of the kernel`;
}
