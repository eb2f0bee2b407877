/**
 * zfs by zfs-fuse, a daemon that stands in for the kernel's module where there is none. What it does otherwise, and what is done
 * about it:
 *
 * - The daemon mounts, in its own mount namespace and in one place for each dataset, as a property of it says. There is no second
 *   mount to look at a layer with: who only reads has the first one open.
 * - A dataset that is unmounted while a file of it is open (MNT_DETACH) is busy until the daemon ends. So what is in use stays
 *   mounted, with nobody counted, and the next user takes it over.
 * - It tells of an unmount a moment later, and datasets are busy until then: that is waited for.
 * - Times are whole seconds, and a change in the second in which a file got its last one would not show: such files are read
 *   (compare-trees.ts).
 * - syncfs(2) does not reach it: snapshots do, and are made for that.
 * - Without extended attributes, which is how it starts unless it is told otherwise, it is refused.
 */
import { realpathSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../errors.ts';
import { O_DIRECTORY, O_RDONLY, openAt } from '../../linux/at.ts';
import { listDirectory } from '../../linux/files.ts';
import { MNT_DETACH, unmount } from '../../linux/mount.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import type { Capabilities, DriverContext, MountedLayer } from '../driver.ts';
import { isLayerId } from '../layer-id.ts';
import { type CountedMount, isDeadMount, isMountPoint } from '../mount-counter.ts';
import type { Guided } from '../naive-diff.ts';
import { existingFolder } from '../read-only.ts';
import { heldOpen } from '../view.ts';
import { graphOf, KERNEL_CAPABILITIES, ZfsDriver } from './driver.ts';
import { FUSE_TITLE, mustTakeAttributes } from './fuse-daemon.ts';
import { FuseDatasets } from './fuse-datasets.ts';

/** How often, with a pause in milliseconds, an unmount is tried: whoever ends has his files open for a moment. */
const TRIES = 10;
const PAUSE = 10;

const CAPABILITIES: Capabilities = { ...KERNEL_CAPABILITIES, nativeDiff: false, nanoseconds: false };

/** zfs on one data root, by zfs-fuse. See `GraphDriver`. */
export class FuseZfsDriver extends ZfsDriver {
  override readonly capabilities: Capabilities = CAPABILITIES;
  readonly #datasets: FuseDatasets;

  constructor(context: DriverContext, fsName: string) {
    const datasets = new FuseDatasets(fsName, graphOf({ home: realPathOf(context.home) }));
    super(context, datasets);
    this.#datasets = datasets;
  }

  /** What a reader that was killed has left mounted is unmounted as well. */
  override async prepare(): Promise<void> {
    await super.prepare();
    for (const id of listDirectory(graphOf(this.context)).filter(isLayerId)) {
      // Who holds it is at work with it, and settles it himself.
      using lock = this.counter.tryLock(id);
      if (lock !== undefined) this.counter.settle(id, this.point(id, undefined));
    }
  }

  protected override title(): string {
    return FUSE_TITLE;
  }

  protected override async mountAt(id: string, path: string, label: string | undefined): Promise<void> {
    if (label !== undefined && label !== '') {
      throw new TsengineError(
        'Unavailable',
        'zfs: zfs-fuse cannot mount with a label of SELinux: use another driver, or the module of OpenZFS',
      );
    }
    try {
      await this.#datasets.mount(id);
      if (!isMountPoint(path)) await this.#datasets.mountAnew(id);
    } catch (error) {
      if (!hasErrno(error, 'EBUSY')) throw error;
      throw new TsengineError(
        'Unavailable',
        `zfs: cannot mount ${this.datasets.name(id)}: zfs-fuse has it mounted elsewhere, or files open of an earlier mount`,
        { cause: error },
      );
    }
    if (!isMountPoint(path)) {
      await this.#datasets.unmount(id);
      throw new TsengineError(
        'Unavailable',
        `zfs: zfs-fuse has mounted ${path} where this process does not see it: start both in one mount namespace`,
      );
    }
    mustTakeAttributes(path);
  }

  protected override unmountAt(path: string): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const isDead = isDeadMount(path);
    for (let tries = 1; tries <= TRIES; tries += 1) {
      try {
        unmount(path, isDead ? MNT_DETACH : 0);
        return;
      } catch (error) {
        if (!hasErrno(error, 'EBUSY')) throw error;
        Atomics.wait(pause, 0, 0, PAUSE);
      }
    }
  }

  /** Nobody is counted, and a kill leaves a mount that the next user, or the next start, takes. */
  protected override async openToRead(id: string, point: CountedMount): Promise<MountedLayer> {
    let fd: number;
    {
      using _lock = await this.counter.lock(id);
      if (isDeadMount(point.path)) point.unmount();
      if (!isMountPoint(point.path)) await point.mount();
      fd = openAt(AT_FDCWD, point.path, O_RDONLY | O_DIRECTORY);
    }
    const held = heldOpen(fd);
    return {
      path: held.path,
      [Symbol.asyncDispose]: async () => {
        await held[Symbol.asyncDispose]();
        using _lock = await this.counter.lock(id);
        this.counter.settle(id, point);
      },
    };
  }

  protected override async sync(id: string): Promise<void> {
    await this.#datasets.sync(id);
  }

  protected override guided(id: string, parent: string): Guided {
    return async (_layer, _base, compare) => compare(undefined, await this.#doubtfulFrom(id, parent));
  }

  /**
   * From which second on a change in a layer can be in the same second as the one before it, in its parent: that of the snapshot
   * which the layer began as, or, of another layer than that, the one in which it was made itself.
   */
  async #doubtfulFrom(id: string, parent: string): Promise<bigint> {
    const { origin } = await this.#datasets.birth(this.datasets.name(id));
    const isParent = origin.startsWith(`${this.datasets.name(parent)}@`);
    const { madeAt } = await this.#datasets.birth(isParent ? origin : this.datasets.name(parent));
    // The daemon's clock may be a tick behind the one of its snapshots.
    return madeAt - 1n;
  }
}

/** A path without symbolic links, which need not be there yet. */
function realPathOf(path: string): string {
  const folder = existingFolder(path);
  return `${realpathSync.native(folder)}${path.slice(folder.length)}`;
}
