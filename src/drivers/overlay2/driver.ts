/**
 * The overlay2 driver on one data root. The format on disk and what a crash leaves are in layout.ts; how mounts are
 * counted over processes is in ../mount-counter.ts.
 */

import { realpathSync } from 'node:fs';
import { LIMITS } from '../../archive/types.ts';
import { hasErrno, TsengineError } from '../../errors.ts';
import { chmodAt, lchownAt } from '../../linux/at.ts';
import { listDirectory, makeDirectory, removeDirectory, writeNewFile } from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { AT_FDCWD, lstat } from '../../linux/stat.ts';
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
import {
  checkLayerId,
  isLayerId,
  layerExists,
  layerHasChildren,
  layerInUse,
  noSuchLayer,
} from '../layer-id.ts';
import type { LayerQuotas } from '../layer-quotas.ts';
import { type CountedMount, isMountPoint, MountCounter } from '../mount-counter.ts';
import { naiveChanges, naiveDiff, naiveDiffSize } from '../naive-diff.ts';
import type { Staging } from '../staging.ts';
import { treeSize } from '../tree-size.ts';
import { openToRead } from '../view.ts';
import { hasRedirects, upperChanges } from './changes.ts';
import { lowerFiles } from './children.ts';
import { type Layout, randomName } from './layout.ts';
import { dropVolatileMark, mountFailure, mountOverlay, tooManyLowers } from './mount.ts';
import { hideBelowRoot } from './opaque-root.ts';
import { refuseImageLayerOptions, sizeOf } from './options.ts';
import { type Abilities, xattrPrefix } from './probe.ts';
import { unlessRedirected } from './redirected.ts';
import { uncover } from './uncover.ts';
import { overlayView } from './view.ts';

/** What the driver is made of. */
export interface Overlay2Parts {
  readonly context: DriverContext;
  readonly layout: Layout;
  readonly staging: Staging;
  readonly abilities: Abilities;
  readonly quotas: LayerQuotas;
  /** What containers may write unless they say otherwise, in bytes; 0 is no limit. */
  readonly defaultSize: number;
}

/** See `GraphDriver`. */
export class Overlay2Driver implements GraphDriver {
  readonly name = 'overlay2';
  readonly capabilities: Capabilities;
  readonly #context: DriverContext;
  readonly #layout: Layout;
  readonly #staging: Staging;
  readonly #abilities: Abilities;
  readonly #quotas: LayerQuotas;
  readonly #defaultSize: number;
  readonly #counter: MountCounter;
  readonly #children: Children;

  constructor(parts: Overlay2Parts) {
    this.#context = parts.context;
    this.#layout = parts.layout;
    this.#staging = parts.staging;
    this.#abilities = parts.abilities;
    this.#quotas = parts.quotas;
    this.#defaultSize = parts.defaultSize;
    this.#counter = new MountCounter(parts.context.runHome);
    this.#children = new Children(lowerFiles(parts.layout));
    this.capabilities = {
      nativeDiff: parts.abilities.notNative === '',
      // Tried when somebody asks: it costs a device node.
      get quota() {
        return parts.context.readOnly !== true && parts.quotas.available;
      },
      maxParents: LIMITS.lowerLayers,
      hardLinksAcrossCopyUp: false,
      nanoseconds: true,
      xattrs: true,
      mounts: true,
      refusesParents: true,
      renameLowerDirectory: false,
    };
  }

  async status(): Promise<readonly StatusRow[]> {
    return [
      ['Backing Filesystem', fsName(statfs(this.#layout.home).magic)],
      // Opening the driver refuses anything else.
      ['Supports d_type', 'true'],
      ['Native Overlay Diff', String(this.capabilities.nativeDiff)],
      ['userxattr', String(this.#abilities.userxattr)],
    ];
  }

  async create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    refuseImageLayerOptions(options);
    await this.#create(id, parent, 0);
  }

  async createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void> {
    await this.#create(id, parent, sizeOf(options, this.#defaultSize, this.#quotas));
  }

  async #create(id: string, parent: string | undefined, size: number): Promise<void> {
    const layout = this.#layout;
    checkLayerId(id);
    if (layout.exists(id)) throw layerExists(this.name, id);
    if (parent !== undefined) this.#mustExist(parent);
    const lowers = parent === undefined ? [] : layout.stack(parent);
    if (lowers.length > LIMITS.lowerLayers) throw tooManyLowers(lowers.length);
    using _held = await this.#staging.hold();
    const built = this.#staging.name(id);
    try {
      makeDirectory(built, 0o710);
      // The whole folder: a file goes from `work` to `diff` by rename(2), which no file does between projects.
      if (size > 0) this.#quotas.limit(built, size);
      this.#build(built, id, parent, lowers);
      if (!this.#staging.publish(built, layout.layer(id))) throw layerExists(this.name, id);
    } catch (error) {
      layout.dropLink(built);
      removeTree(built);
      throw error;
    }
  }

  /** Everything a layer's folder holds, in the order that layout.ts relies on: first `link`, then what it names. */
  #build(built: string, id: string, parent: string | undefined, lowers: readonly string[]): void {
    const layout = this.#layout;
    makeDirectory(`${built}/diff`, 0o755);
    this.#likeRootOf(parent, `${built}/diff`);
    const link = randomName();
    writeNewFile(`${built}/link`, link, { mode: 0o644, durable: false });
    layout.makeLink(link, id);
    if (parent === undefined) return;
    makeDirectory(`${built}/work`, 0o700);
    writeNewFile(`${built}/lower`, lowers.join(':'), { mode: 0o644, durable: false });
    layout.commit(parent);
  }

  /** overlayfs shows the attributes of the topmost root, so a new layer's root starts out like its parent's. */
  #likeRootOf(parent: string | undefined, diff: string): void {
    const like = parent === undefined ? undefined : lstat(this.#layout.diff(parent));
    if (like !== undefined && (like.uid !== 0 || like.gid !== 0)) {
      lchownAt(AT_FDCWD, diff, like.uid, like.gid);
    }
    chmodAt(AT_FDCWD, diff, (like?.mode ?? 0o755) & 0o7777);
  }

  async get(id: string, mountLabel?: string, options: MountOptions = {}): Promise<MountedLayer> {
    this.#mustExist(id);
    const lowers = this.#layout.lowers(id);
    if (lowers.length === 0) return { path: this.#layout.diff(id), [Symbol.asyncDispose]: async () => {} };
    // The view has the layer's own directory as one more lower one.
    if (options.isReadOnly === true && lowers.length < LIMITS.lowerLayers) {
      const { home } = this.#layout;
      const directories = [`${id}/diff`, ...lowers];
      const view = { home, id, directories, options: this.#abilities.options };
      const { runHome } = this.#context;
      return await openToRead(runHome, this.#layout.merged(id), overlayView(runHome, view));
    }
    const point = this.#point(id, lowers, mountLabel, options.isVolatile);
    return await this.#counter.mounted(id, point);
  }

  async put(id: string): Promise<void> {
    checkLayerId(id);
    await this.#counter.release(id, this.#point(id, [], undefined));
  }

  #point(id: string, lowers: readonly string[], label: string | undefined, isVolatile = false): CountedMount {
    const path = this.#layout.merged(id);
    return {
      path,
      mount: () => this.#mount(id, lowers, label, isVolatile),
      unmount: () => this.#unmount(id, path),
    };
  }

  #unmount(id: string, path: string): void {
    if (isMountPoint(path) || uncover(this.#layout.home, path)) unmount(path, MNT_DETACH);
    try {
      removeDirectory(path);
    } catch {
      // It is not there, because of a kill before it was made or after it was removed. Or it cannot be removed: empty as it
      // is it does no harm, and the next release tries again.
    }
    dropVolatileMark(this.#layout.work(id));
  }

  #mount(id: string, lowers: readonly string[], label: string | undefined, isVolatile: boolean): void {
    const target = this.#layout.merged(id);
    try {
      makeDirectory(target, 0o700);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    try {
      this.#mountOn(target, id, lowers, label, isVolatile);
    } catch (error) {
      this.#unmount(id, target);
      throw mountFailure(error, id, lowers, this.#layout.home);
    }
  }

  #mountOn(
    target: string,
    id: string,
    lowers: readonly string[],
    label: string | undefined,
    isVolatile: boolean,
  ): void {
    const layout = this.#layout;
    const directories = layout.isCommitted(id)
      ? { lowers: [`${id}/diff`, ...lowers] }
      : { lowers, writable: { upper: `${id}/diff`, work: `${id}/work` } };
    const { options } = this.#abilities;
    const request = { home: layout.home, target, options, label, isVolatile, ...directories };
    dropVolatileMark(layout.work(id));
    const farm = `${this.#context.runHome}/links`;
    try {
      mountOverlay(request, farm);
    } catch (error) {
      this.#repairLinks(error);
      mountOverlay(request, farm);
    }
  }

  /** Puts short names back where `error` says that one is missing, as after a crash of Docker; else it is thrown on. */
  #repairLinks(error: unknown): void {
    if (!hasErrno(error, 'ENOENT')) throw error;
    this.#layout.repairLinks(listDirectory(this.#layout.home).filter(isLayerId));
  }

  #lowersToWriteOn(id: string): readonly string[] {
    try {
      return this.#layout.lowerDiffs(id);
    } catch (error) {
      this.#repairLinks(error);
      return this.#layout.lowerDiffs(id);
    }
  }

  async remove(id: string): Promise<void> {
    const layout = this.#layout;
    checkLayerId(id);
    using _held = await this.#staging.hold();
    let away: string | undefined;
    {
      using _lock = await this.#counter.lock(id);
      if (!layout.exists(id)) return;
      const users = this.#counter.settle(id, this.#point(id, [], undefined));
      if (users > 0) throw layerInUse(this.name, id, users);
      const child = this.#children.of(id);
      if (child !== undefined) throw layerHasChildren(this.name, id, child);
      this.#children.removing(id, () => {
        away = this.#staging.takeAway(layout.layer(id), id);
      });
    }
    if (away === undefined) return;
    const project = this.#quotas.projectOf(away);
    layout.dropLink(away);
    removeTree(away);
    if (project !== undefined) this.#quotas.forget(project);
  }

  async exists(id: string): Promise<boolean> {
    return this.#layout.exists(id);
  }

  async metadata(id: string): Promise<Readonly<Record<string, string>>> {
    this.#mustExist(id);
    const layout = this.#layout;
    const lowers = layout.lowerDiffs(id);
    return {
      ...(lowers.length > 0 && { LowerDir: lowers.join(':') }),
      MergedDir: layout.merged(id),
      UpperDir: layout.diff(id),
      WorkDir: layout.work(id),
    };
  }

  async list(): Promise<readonly string[]> {
    return listDirectory(this.#layout.home).filter(isLayerId);
  }

  async *diff(id: string, parent: string | undefined): AsyncGenerator<Buffer> {
    const warn = (message: string): void => this.#context.warn(message);
    if (!this.#isNative(id, parent)) {
      yield* naiveDiff(this, id, parent, warn);
      return;
    }
    const { packOverlayDiff } = await import('../../archive/pack.ts');
    const packed = packOverlayDiff(this.#layout.diff(id), {
      xattrPrefix: xattrPrefix(this.#abilities),
      warn,
    });
    yield* unlessRedirected(
      packed,
      () => this.#hasRedirects(id),
      () => naiveDiff(this, id, parent, warn),
    );
  }

  async changes(id: string, parent: string | undefined): Promise<readonly Change[]> {
    const layout = this.#layout;
    if (this.#isNative(id, parent)) {
      const prefix = xattrPrefix(this.#abilities);
      const changes = upperChanges(layout.diff(id), layout.lowerDiffs(id), prefix);
      if (changes !== undefined) return changes;
    }
    return await naiveChanges(this, id, parent);
  }

  async applyDiff(
    id: string,
    parent: string | undefined,
    tar: AsyncIterable<Buffer>,
    options: ApplyOptions = {},
  ): Promise<Applied> {
    this.#mustExist(id);
    if (!this.#isParent(id, parent)) {
      throw new TsengineError(
        'InvalidParameter',
        `overlay2: layer ${id} does not stand on ${parent ?? 'nothing'}: its tar would delete the wrong files`,
      );
    }
    const { unpackLayer } = await import('../../archive/unpack.ts');
    const lowers = this.#lowersToWriteOn(id);
    const { size, linkBytes, warnings } = await unpackLayer(tar, this.#layout.diff(id), {
      // Without a parent there is nothing to hide, and a marker would be seen as a file.
      whiteouts: parent === undefined ? 'delete' : 'overlay',
      xattrPrefix: xattrPrefix(this.#abilities),
      lowers,
      ...options,
    });
    if (parent !== undefined) {
      const prefix = xattrPrefix(this.#abilities);
      hideBelowRoot(this.#layout.diff(id), lowers, prefix);
    }
    for (const warning of warnings) this.#context.warn(warning);
    // Docker's overlay2 adds up what is on disk; its vfs, what the archive says.
    return { size: size + linkBytes };
  }

  async diffSize(id: string, parent: string | undefined): Promise<number> {
    if (this.#isNative(id, parent)) return treeSize(this.#layout.diff(id));
    return await naiveDiffSize(this, id, parent);
  }

  async diffSource(id: string, parent: string | undefined): Promise<DiffSource> {
    this.#mustExist(id);
    if (this.#isParent(id, parent) && !this.#hasRedirects(id)) {
      return { root: this.#layout.diff(id), [Symbol.asyncDispose]: async () => {} };
    }
    const mounted = await this.get(id);
    return { root: mounted.path, [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose]() };
  }

  async cleanup(): Promise<void> {
    const home = realpathSync.native(this.#layout.home);
    const prefix = Buffer.from(`${home}/`);
    // From the innermost: a container's own mounts may be left inside its layer's.
    const ours = readMountInfo().filter((entry) => entry.mountPoint.indexOf(prefix) === 0);
    for (const { mountPoint } of ours.reverse()) unmount(mountPoint, MNT_DETACH);
    for (const { mountPoint, type } of ours) if (type === 'overlay') removeDirectory(mountPoint);
    this.#counter.forget();
    removeTree(`${this.#context.runHome}/links`);
    this.#staging.sweep(
      (path) => {
        this.#layout.dropLink(path);
        removeTree(path);
      },
      (message) => this.#context.warn(message),
    );
  }

  #mustExist(id: string): void {
    checkLayerId(id);
    if (!this.#layout.exists(id)) throw noSuchLayer(this.name, id);
  }

  /** Whether `parent` is what the layer was made on, so that its upper directory says what it changed. */
  #isParent(id: string, parent: string | undefined): boolean {
    const lowers = this.#layout.lowers(id);
    if (parent === undefined) return lowers.length === 0;
    this.#mustExist(parent);
    return lowers[0] === this.#layout.link(parent);
  }

  #isNative(id: string, parent: string | undefined): boolean {
    this.#mustExist(id);
    return this.#isParent(id, parent) && (this.capabilities.nativeDiff || parent === undefined);
  }

  #hasRedirects(id: string): boolean {
    return hasRedirects(this.#layout.diff(id), xattrPrefix(this.#abilities));
  }
}
