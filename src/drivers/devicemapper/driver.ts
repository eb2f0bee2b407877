/**
 * The devicemapper driver: every layer is a thin device with a filesystem of its own, a snapshot of its parent's, or of the
 * base device. On disk, as Docker 20.10 has it, below the driver's home (0700):
 *
 * ```
 * devicemapper/   data, metadata: the pool's loop files (pool.ts)
 * metadata/       what devices there are (metadata.ts)
 * mnt/<id>/       where a layer is mounted: the tree in rootfs/, the id of its first user in id
 * .tsengine/      ours: the set's lock, a file that is being written
 * ```
 *
 * What a kill leaves of the pool, of a transaction and of the base device is in pool.ts, device-set.ts and base-device.ts. One
 * within `get` or `put` leaves a device with a name, or a mount that nobody counts: see ../mount-counter.ts.
 */
import { realpathSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { removeDevice } from '../../linux/device-mapper.ts';
import { makeDirectories, makeDirectory, pathExists, removeFile, writeNewFile } from '../../linux/files.ts';
import type { Lock } from '../../linux/flock.ts';
import { MNT_DETACH, MS_BIND, MS_NOATIME, MS_RDONLY, MS_REMOUNT, mount, unmount } from '../../linux/mount.ts';
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
import { checkLayerId, isLayerId, layerInUse } from '../layer-id.ts';
import { type CountedMount, hasShutDown, isMountPoint, MountCounter } from '../mount-counter.ts';
import { naiveChanges, naiveDiff, naiveDiffSize } from '../naive-diff.ts';
import { heldOpen } from '../view.ts';
import type { ActiveDevice } from './active-devices.ts';
import { BaseDevice, growLayer } from './base-device.ts';
import { DeviceSet, dropMount } from './device-set.ts';
import type { FirstSetup } from './first-setup.ts';
import { openDirectory, openFrozen } from './frozen-view.ts';
import { noteGiven } from './given-devices.ts';
import { mountLayer } from './layer-filesystem.ts';
import { BASE, Metadata, RESERVED } from './metadata.ts';
import { type DevicemapperOptions, requestedSize } from './options.ts';
import type { Pool } from './pool.ts';
import { statusRows } from './status.ts';

const CAPABILITIES: Capabilities = {
  nativeDiff: false,
  quota: true,
  maxParents: undefined,
  hardLinksAcrossCopyUp: true,
  nanoseconds: true,
  xattrs: true,
  mounts: true,
  refusesParents: false,
  ownFilesystems: true,
  renameLowerDirectory: true,
};

/** The tree, in a layer's filesystem. */
const ROOTFS = 'rootfs';

/** How often folders are made that others take away. */
const TRIES = 20;

/** See `GraphDriver`. */
export class DevicemapperDriver implements GraphDriver {
  readonly name = 'devicemapper';
  readonly capabilities = CAPABILITIES;
  readonly #context: DriverContext;
  readonly #options: DevicemapperOptions;
  readonly #pool: Pool;
  readonly #metadata: Metadata;
  readonly #set: DeviceSet;
  readonly #base: BaseDevice;
  readonly #counter: MountCounter;
  readonly #mounts: string;
  /** While the driver is prepared. */
  #setup: FirstSetup | undefined;

  /** The home is there, and the pool may be not. `setup` knows what was there before, where something may be made. */
  constructor(context: DriverContext, options: DevicemapperOptions, pool: Pool, setup?: FirstSetup) {
    const { home, runHome } = context;
    const warn = (message: string): void => context.warn(message);
    this.#context = context;
    this.#options = options;
    this.#pool = pool;
    this.#setup = setup;
    this.#mounts = `${home}/mnt`;
    this.#metadata = new Metadata(home);
    this.#set = new DeviceSet({
      pool,
      metadata: this.#metadata,
      options,
      runHome,
      mounts: this.#mounts,
      warn,
    });
    this.#base = new BaseDevice(this.#set, options, runHome, warn);
    this.#counter = new MountCounter(runHome);
  }

  /** Makes what is missing, and undoes what a killed process left. */
  async prepare(): Promise<void> {
    using _lock = await this.#ready(await this.#lockMade());
    this.#setup = undefined;
    noteGiven(this.#context.home, this.#options.source);
    this.#base.warnOfFilesystem();
  }

  /** Makes the folders. */
  #make(): void {
    if (!pathExists(this.#context.home)) makeDirectories(this.#context.home, 0o700);
    this.#metadata.make();
    if (!pathExists(this.#mounts)) makeDirectories(this.#mounts, 0o755);
    makeDirectories(this.#context.runHome, 0o700);
  }

  /** Gives the set's lock, with the folders there: whoever had it may have taken away what a set-up that failed had made. */
  async #lockMade(): Promise<Lock> {
    for (let tries = 0; ; tries++) {
      let lock: Lock | undefined;
      try {
        this.#make();
        lock = await this.#metadata.lock();
        if (this.#setup !== undefined) {
          this.#make();
          this.#pool.locate();
        }
        return lock;
      } catch (error) {
        lock?.release();
        if (tries >= TRIES || !hasErrno(error, 'ENOENT')) throw error;
      }
      this.#setup?.note();
    }
  }

  /** Gives the set's lock, with the pool there and nothing unfinished. */
  async #ready(held?: Lock): Promise<Lock> {
    const lock = held ?? (await this.#metadata.lock());
    let wasActive = true;
    try {
      this.#metadata.sweep();
      if (!this.#pool.isUnchanged()) {
        this.#pool.dropStale();
        wasActive = this.#pool.isActive();
        this.#pool.activate();
      }
      const isKnown = wasActive && this.#base.isVerified();
      if (!isKnown) await this.#base.verify();
      const fill = (): void => this.#pool.fill((message) => this.#context.warn(message));
      // A pool is known to be ours by its base device; one that has none yet must prove empty first.
      const isFound = this.#set.find(BASE)?.initialized === true;
      if (!wasActive && isFound) fill();
      this.#set.recover();
      if (!isKnown) this.#set.findDeleted();
      if (!isKnown || !this.#base.isReady()) await this.#base.prepare();
      if (!wasActive && !isFound) fill();
      return lock;
    } catch (error) {
      using _lock = lock;
      if (!wasActive) this.#pool.deactivate();
      await this.#undo(wasActive);
      throw error;
    }
  }

  /** Takes away what a first set-up made that failed. With the set's lock held. */
  async #undo(wasActive: boolean): Promise<void> {
    const isMade = (): boolean => this.#metadata.device(BASE)?.initialized === true;
    const isEmpty = (): boolean => this.#metadata.device(BASE) === undefined;
    try {
      if (this.#setup !== undefined && !isMade()) await this.#setup.undo(this.#pool, wasActive, isEmpty);
    } catch (error) {
      this.#context.warn(`devicemapper: what was made is left for the next command: ${errorMessage(error)}`);
    }
  }

  async status(): Promise<readonly StatusRow[]> {
    return statusRows(this.#set, this.#options);
  }

  async create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    const wanted = requestedSize(options);
    this.#check(id);
    using _lock = await this.#ready();
    await this.#set.mustBeFree(id);
    const origin = this.#set.must(parent ?? BASE);
    const size = wanted ?? origin.size;
    if (size < origin.size) throw tooSmall(size, origin.size);
    await this.#set.create(id, parent ?? BASE, size, async (info) => {
      if (size > origin.size) await growLayer(this.#set, this.#options, id, info);
    });
  }

  async createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    await this.create(id, parent, options);
  }

  async get(id: string, mountLabel?: string, options: MountOptions = {}): Promise<MountedLayer> {
    this.#mustExist(id);
    if (options.isReadOnly === true || this.#context.readOnly === true) return await this.#openView(id);
    const point = this.#point(id, mountLabel);
    return await this.#counter.mounted(id, point, `${point.path}/${ROOTFS}`);
  }

  async put(id: string): Promise<void> {
    this.#check(id);
    // What is mounted is another engine's.
    if (this.#context.readOnly === true) return;
    await this.#counter.release(id, this.#point(id, undefined));
  }

  #point(id: string, label: string | undefined): CountedMount {
    return {
      path: this.#set.mountPoint(id),
      mount: () => this.#mount(id, label),
      unmount: () => this.#unmount(id),
      hasShutDown: () => hasShutDown(this.#set.mountPoint(id)),
    };
  }

  async #mount(id: string, label: string | undefined, flags = 0): Promise<void> {
    try {
      const { node, minor } = await this.#activate(id);
      const target = this.#set.mountPoint(id);
      try {
        makeDirectory(target, 0o755);
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
      }
      const { mountOptions, xfsNospaceRetries } = this.#options;
      mountLayer({ node, minor, target, options: mountOptions, label, flags, xfsNospaceRetries });
      if (!pathExists(`${target}/${ROOTFS}`)) makeDirectory(`${target}/${ROOTFS}`, 0o755);
      // For people who look for what a device is; that of the first one, as its snapshots keep it.
      if (!pathExists(`${target}/id`)) writeNewFile(`${target}/id`, id, { durable: false });
      this.#set.active.settle(id);
    } catch (error) {
      // Mounted twice, it is one filesystem still.
      const isDown = hasShutDown(this.#set.mountPoint(id));
      this.#unmount(id);
      throw isDown ? shutDown(id, error) : error;
    }
  }

  async #activate(id: string): Promise<ActiveDevice> {
    using _lock = await this.#ready();
    return await this.#set.active.activate(id, this.#set.must(id));
  }

  #unmount(id: string): void {
    dropMount(this.#set.mountPoint(id));
    this.#set.active.deactivate(id);
  }

  /**
   * A layer to be read, seen through a mount that has no place in the tree of mounts: it goes with the descriptor, and the
   * device with it.
   */
  async #openView(id: string): Promise<MountedLayer> {
    const { readOnly, runHome } = this.#context;
    if (readOnly === true) {
      const [pool, mountPoint] = [this.#pool, this.#set.mountPoint(id)];
      return openFrozen({ pool, info: this.#set.must(id), mountPoint, tree: ROOTFS, runHome });
    }
    using _layer = await this.#counter.lock(id);
    const path = this.#set.mountPoint(id);
    if (hasShutDown(path) && this.#counter.settle(id, this.#point(id, undefined)) > 0) throw shutDown(id);
    let fd: number;
    if (isMountPoint(path)) fd = openDirectory(`${path}/${ROOTFS}`);
    else {
      await this.#mount(id, undefined, MS_NOATIME);
      try {
        mount({ target: path, flags: MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME });
        fd = openDirectory(`${path}/${ROOTFS}`);
      } finally {
        dropMount(path);
        // Deferred in any case: nobody comes back to do it.
        removeDevice(this.#set.active.nameOf(id), true);
      }
    }
    return heldOpen(fd);
  }

  async remove(id: string): Promise<void> {
    this.#check(id);
    using _layer = await this.#counter.lock(id);
    const point = this.#point(id, undefined);
    const users = this.#counter.settle(id, point);
    if (users > 0) throw layerInUse(this.name, id, users);
    if (this.#metadata.device(id) === undefined) return;
    using _lock = await this.#ready();
    dropMount(point.path);
    await this.#set.delete(id);
    await this.#set.deleteWaiting();
  }

  async exists(id: string): Promise<boolean> {
    return isLayerId(id) && !RESERVED.has(id) && this.#set.find(id) !== undefined;
  }

  async metadata(id: string): Promise<Readonly<Record<string, string>>> {
    this.#mustExist(id);
    const { device_id, size } = this.#set.must(id);
    return { DeviceId: String(device_id), DeviceName: this.#set.active.nameOf(id), DeviceSize: String(size) };
  }

  async list(): Promise<readonly string[]> {
    return this.#metadata.ids().filter((id) => this.#set.find(id) !== undefined);
  }

  /** What comparing asks for: layers to be read. */
  get #views(): Pick<GraphDriver, 'get'> {
    return { get: (id) => this.get(id, undefined, { isReadOnly: true }) };
  }

  diff(id: string, parent: string | undefined): AsyncIterable<Buffer> {
    return naiveDiff(this.#views, id, parent, (message) => this.#context.warn(message));
  }

  async changes(id: string, parent: string | undefined): Promise<readonly Change[]> {
    return await naiveChanges(this.#views, id, parent);
  }

  async applyDiff(
    id: string,
    _parent: string | undefined,
    tar: AsyncIterable<Buffer>,
    options: ApplyOptions = {},
  ): Promise<Applied> {
    this.#mustExist(id);
    const point = this.#point(id, undefined);
    await using mounted = await this.#counter.alone(id, point, `${point.path}/${ROOTFS}`);
    const { unpackLayer } = await import('../../archive/unpack.ts');
    const { size, warnings } = await unpackLayer(tar, mounted.path, { whiteouts: 'delete', ...options });
    for (const warning of warnings) this.#context.warn(warning);
    // The caller syncs the data root's filesystem, and this is another one.
    await syncFilesystemOf(mounted.path);
    return { size };
  }

  async diffSize(id: string, parent: string | undefined): Promise<number> {
    return await naiveDiffSize(this.#views, id, parent);
  }

  async diffSource(id: string): Promise<DiffSource> {
    const view = await this.#views.get(id);
    return { root: view.path, [Symbol.asyncDispose]: () => view[Symbol.asyncDispose]() };
  }

  async cleanup(): Promise<void> {
    using _lock = await this.#metadata.lock();
    const prefix = Buffer.from(`${realpathSync.native(this.#mounts)}/`);
    // From the innermost: a container's own mounts may be left inside its layer's.
    const ours = readMountInfo().filter((entry) => entry.mountPoint.indexOf(prefix) === 0);
    for (const { mountPoint } of ours.reverse()) unmount(mountPoint, MNT_DETACH);
    for (const name of this.#set.mountPoints()) dropMount(name);
    if (this.#pool.device() !== undefined) {
      for (const name of this.#set.active.names()) removeDevice(name, true);
      this.#set.recover();
      if (this.#pool.deactivate()) removeFile(`${this.#context.runHome}/verified`);
    }
    this.#metadata.sweep();
    this.#counter.forget();
  }

  #check(id: string): void {
    checkLayerId(id);
    if (!RESERVED.has(id)) return;
    throw new TsengineError('InvalidParameter', `invalid layer id ${JSON.stringify(id)}`);
  }

  #mustExist(id: string): void {
    this.#check(id);
    this.#set.must(id);
  }
}

function shutDown(id: string, cause?: unknown): TsengineError {
  return new TsengineError(
    'Unavailable',
    `devicemapper: the file system of layer ${id} has shut down after an error, and a container uses it still: stop that, then start it again`,
    { cause },
  );
}

function tooSmall(size: number, least: number): TsengineError {
  return new TsengineError(
    'InvalidParameter',
    `devicemapper: container size ${size} is too small: it cannot be smaller than its image's ${least} bytes`,
  );
}
