/**
 * The aufs driver on one data root. The format on disk and what a crash leaves are in layout.ts; how unions are mounted is a
 * backend's (union.ts); how mounts are counted over processes is in ../mount-counter.ts.
 */
import { realpathSync } from 'node:fs';
import { LowerLayers } from '../../archive/lower-layers.ts';
import { aufsMarks } from '../../archive/union-marks.ts';
import { errorMessage, TsengineError } from '../../errors.ts';
import { pathExists, removeFile, writeNewFile } from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { Children } from '../children.ts';
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
import { layerChanges } from '../layer-changes.ts';
import { checkLayerId, layerExists, layerHasChildren, layerInUse, noSuchLayer } from '../layer-id.ts';
import { type CountedMount, isDeadMount, isMountPoint, MountCounter } from '../mount-counter.ts';
import { naiveChanges, naiveDiff, naiveDiffSize } from '../naive-diff.ts';
import { isDirectory, type Staging } from '../staging.ts';
import { treeSize } from '../tree-size.ts';
import { openToRead } from '../view.ts';
import { parentLists } from './children.ts';
import type { Layout } from './layout.ts';
import { isMarkName } from './marks.ts';
import { refuseLayerOptions } from './options.ts';
import type { UnionBackend } from './union.ts';

/** What the driver is made of. */
export interface AufsParts {
  readonly context: DriverContext;
  readonly layout: Layout;
  readonly staging: Staging;
  readonly backend: UnionBackend;
}

/** See `GraphDriver`. */
export class AufsDriver implements GraphDriver {
  readonly name = 'aufs';
  readonly capabilities: Capabilities;
  readonly #context: DriverContext;
  readonly #layout: Layout;
  readonly #staging: Staging;
  readonly #backend: UnionBackend;
  readonly #counter: MountCounter;
  readonly #children: Children;

  constructor({ context, layout, staging, backend }: AufsParts) {
    this.#context = context;
    this.#layout = layout;
    this.#staging = staging;
    this.#backend = backend;
    this.#counter = new MountCounter(context.runHome);
    this.#children = new Children(parentLists(layout));
    this.capabilities = {
      nativeDiff: true,
      quota: false,
      maxParents: backend.maxParents,
      hardLinksAcrossCopyUp: true,
      nanoseconds: true,
      xattrs: true,
      mounts: true,
      refusesParents: true,
      // Tried when somebody asks.
      get copyUpLoses() {
        return context.readOnly === true ? [] : backend.copyUpLoses();
      },
      longestName: backend.longestName,
      renameLowerDirectory: false,
    };
  }

  async status(): Promise<readonly StatusRow[]> {
    const { home } = this.#layout;
    return [
      ['Root Dir', home],
      ['Backing Filesystem', fsName(statfs(home).magic)],
      ['Dirs', String(this.#layout.list().length)],
      ['Union', this.#backend.title],
    ];
  }

  async create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    refuseLayerOptions(options);
    await this.#create(id, parent);
  }

  async createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    refuseLayerOptions(options);
    await this.#create(id, parent);
  }

  async #create(id: string, parent: string | undefined): Promise<void> {
    const layout = this.#layout;
    checkLayerId(id);
    if (layout.exists(id)) throw layerExists(this.name, id);
    const parents = parent === undefined ? [] : [parent, ...this.#parents(parent)];
    const { maxParents } = this.#backend;
    if (parents.length > maxParents) throw tooManyParents(parents.length, maxParents);
    using _held = await this.#staging.hold();
    const record = this.#staging.name(id);
    try {
      const text = parents.map((one) => `${one}\n`).join('');
      writeNewFile(record, text, { mode: 0o644, durable: false });
      layout.makeFolders(id, parent);
      if (!this.#staging.publish(record, layout.record(id))) throw layerExists(this.name, id);
    } catch (error) {
      layout.discard(record);
      // A new branch is made like its parent's.
      const missing = parent !== undefined && !isDirectory(layout.diff(parent));
      throw missing ? this.#missing(id, parent, error) : error;
    }
  }

  async get(id: string, mountLabel?: string, options: MountOptions = {}): Promise<MountedLayer> {
    const parents = this.#parents(id);
    const { diff, point, union } = this.#places(id, parents, mountLabel);
    if (parents.length === 0) return { path: diff, [Symbol.asyncDispose]: async () => {} };
    if (options.isReadOnly === true) {
      const view = (target: string): void => this.#mount({ ...union, target, isReadOnly: true });
      return this.#told(await openToRead(this.#context.runHome, point.path, view));
    }
    const { isVolatile = false } = options;
    const mount = (): void => this.#mount({ ...union, isVolatile });
    return this.#told(await this.#counter.mounted(id, { ...point, mount }));
  }

  /** fuse-overlayfs counts the names that it has come by. */
  #told(mounted: MountedLayer): MountedLayer {
    return this.#backend.isStandIn ? Object.assign(mounted, { countsNamesLate: true } as const) : mounted;
  }

  async put(id: string): Promise<void> {
    checkLayerId(id);
    await this.#counter.release(id, this.#places(id).point);
  }

  /** A layer's paths, and its union as the backend and the counter want it. */
  #places(id: string, parents: readonly string[] = [], label?: string) {
    const path = this.#layout.mountPoint(id);
    const union = { target: path, id, parents, label };
    const point: CountedMount = {
      path,
      mount: () => this.#mount(union),
      unmount: () => this.#unmount(id, path),
      died: () =>
        this.#context.warn(
          `aufs: the daemon of layer ${id} had died: mounted anew; who used it sees ENOTCONN`,
        ),
    };
    return { diff: this.#layout.diff(id), point, union };
  }

  #mount(union: Parameters<UnionBackend['mount']>[0]): void {
    try {
      this.#backend.mount(union);
    } catch (error) {
      const missing = [union.id, ...union.parents].find((id) => !isDirectory(this.#layout.diff(id)));
      throw missing === undefined ? error : this.#missing(union.id, missing, error);
    }
  }

  #missing(id: string, missing: string, cause: unknown): TsengineError {
    return new TsengineError(
      'Corrupt',
      `aufs: cannot use layer ${id}: ${this.#layout.diff(missing)} is missing: put it back from a backup, or remove what needs it (rm, rmi) and make that anew`,
      { cause },
    );
  }

  #unmount(id: string, path: string): void {
    if (isMountPoint(path)) {
      if (!isDeadMount(path)) this.#backend.beforeUnmount(path);
      unmount(path, MNT_DETACH);
    }
    if (!this.#layout.exists(id) || !this.#backend.isUnsettled(id)) return;
    try {
      this.#backend.settle(id, this.#layout.parents(id));
    } catch (error) {
      // On a full disk, say. It is as it would be after a kill, and the next mount tries again.
      this.#context.warn(`aufs: layer ${id} is not settled yet: ${errorMessage(error)}`);
    }
  }

  async remove(id: string): Promise<void> {
    const layout = this.#layout;
    checkLayerId(id);
    using _held = await this.#staging.hold();
    using _lock = await this.#counter.lock(id);
    const { point } = this.#places(id);
    if (isDeadMount(point.path)) unmount(point.path, MNT_DETACH);
    const users = this.#counter.settle(id, point);
    if (users > 0) throw layerInUse(this.name, id, users);
    if (!layout.exists(id)) {
      layout.removeFolders(id);
      return;
    }
    const child = this.#children.of(id);
    if (child !== undefined) throw layerHasChildren(this.name, id, child);
    let away: string | undefined;
    this.#children.removing(id, () => {
      away = this.#staging.takeAway(layout.record(id), id);
      // On a disk too full for a rename: the layer is gone first, and a kill from here on leaves folders.
      if (away === layout.record(id)) removeFile(away);
    });
    if (away !== undefined) layout.discard(away, id);
  }

  async exists(id: string): Promise<boolean> {
    return this.#layout.exists(id);
  }

  /** Docker's aufs shows nothing. */
  async metadata(id: string): Promise<undefined> {
    this.#mustExist(id);
  }

  async list(): Promise<readonly string[]> {
    return this.#layout.list();
  }

  async *diff(id: string, parent: string | undefined): AsyncGenerator<Buffer> {
    const warn = (message: string): void => this.#context.warn(message);
    const parents = this.#parents(id);
    if (!this.#isNative(id, parents, parent)) {
      yield* naiveDiff(this, id, parent, warn);
      return;
    }
    const { packAufsDiff } = await import('../../archive/pack.ts');
    using lower = new LowerLayers(this.#diffs(parents), aufsMarks);
    const hides = (path: Buffer): boolean => lower.showDirectory(Buffer.concat([Buffer.from('/'), path]));
    yield* packAufsDiff(this.#layout.diff(id), { hides, warn });
  }

  async changes(id: string, parent: string | undefined): Promise<readonly Change[]> {
    const parents = this.#parents(id);
    if (!this.#isNative(id, parents, parent)) return await naiveChanges(this, id, parent);
    return layerChanges(this.#layout.diff(id), this.#diffs(parents), aufsMarks);
  }

  async applyDiff(
    id: string,
    parent: string | undefined,
    tar: AsyncIterable<Buffer>,
    options: ApplyOptions = {},
  ): Promise<Applied> {
    const parents = this.#parents(id);
    if (parents[0] !== parent) {
      throw new TsengineError(
        'InvalidParameter',
        `aufs: layer ${id} does not stand on ${parent ?? 'nothing'}: its tar would delete the wrong files`,
      );
    }
    const { unpackLayer } = await import('../../archive/unpack.ts');
    const { size, linkBytes, warnings } = await unpackLayer(tar, this.#layout.diff(id), {
      // Without a parent there is nothing to hide, and a mark would be seen as a file.
      whiteouts: parent === undefined ? 'delete' : 'files',
      lowers: this.#diffs(parents),
      ...options,
    });
    for (const warning of warnings) this.#context.warn(warning);
    // Docker's aufs adds up what is on disk.
    return { size: size + linkBytes };
  }

  async diffSize(id: string, parent: string | undefined): Promise<number> {
    const parents = this.#parents(id);
    if (!this.#isParent(parents, parent)) return await naiveDiffSize(this, id, parent);
    return treeSize(this.#layout.diff(id), isMarkName);
  }

  async diffSource(id: string, parent: string | undefined): Promise<DiffSource> {
    const parents = this.#parents(id);
    if (this.#isNative(id, parents, parent)) {
      return { root: this.#layout.diff(id), [Symbol.asyncDispose]: async () => {} };
    }
    const mounted = await this.get(id);
    return { root: mounted.path, [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose]() };
  }

  async cleanup(): Promise<void> {
    const prefix = `${realpathSync.native(this.#layout.home)}/`;
    const ours = readMountInfo()
      .map(({ mountPoint }) => mountPoint.toString())
      .filter((point) => point.startsWith(prefix));
    // From the innermost: a container's own mounts may be left inside its layer's.
    for (const point of ours.reverse()) {
      const id = point.slice(`${prefix}mnt/`.length);
      if (point === `${prefix}mnt/${id}` && this.#layout.exists(id)) this.#unmount(id, point);
      else unmount(point, MNT_DETACH);
    }
    for (const id of this.#layout.unsettled()) {
      if (this.#layout.exists(id) && pathExists(this.#layout.mountPoint(id))) {
        this.#unmount(id, this.#layout.mountPoint(id));
      } else this.#layout.removeFolders(id);
    }
    this.#counter.forget();
    this.#staging.sweep(
      (path) => this.#layout.discard(path),
      (message) => this.#context.warn(message),
    );
  }

  #mustExist(id: string): void {
    checkLayerId(id);
    if (!this.#layout.exists(id)) throw noSuchLayer(this.name, id);
  }

  #parents(id: string): readonly string[] {
    checkLayerId(id);
    return this.#layout.parents(id);
  }

  #diffs(parents: readonly string[]): string[] {
    return parents.map((id) => this.#layout.diff(id));
  }

  /** Whether `parent` is what the layer was made on, so that its branch says what it changed. */
  #isParent(parents: readonly string[], parent: string | undefined): boolean {
    if (parent !== undefined) this.#mustExist(parent);
    return parents[0] === parent;
  }

  #isNative(id: string, parents: readonly string[], parent: string | undefined): boolean {
    if (!this.#isParent(parents, parent)) return false;
    return !this.#backend.isUnsettled(id) || !this.#backend.showsMore(id, parents);
  }
}

function tooManyParents(count: number, most: number): TsengineError {
  return new TsengineError(
    'InvalidParameter',
    `max depth exceeded: this aufs takes ${most} layers below one, here are ${count}: squash some`,
  );
}
