/**
 * The datasets of a store's layers: `<fsname>/<id>`, each a file system of ZFS. Where the kernel's own errors are not the answer
 * that people need, they are put into words here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { type CommandResult, runCommand } from '../../linux/command.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import {
  type ZfsProperties,
  zfsClone,
  zfsCreate,
  zfsDestroy,
  zfsDestroySnapshot,
  zfsExists,
  zfsSnapshot,
} from '../../linux/zfs-core.ts';
import { isLayerId } from '../layer-id.ts';
import { MARK_PROPERTY, type StoreMark } from './store-mark.ts';

/**
 * What every layer has: no access times, which would be changes; attributes in the inode; POSIX ACLs; no `.zfs` to be seen. The
 * numbers are those of words: `ZFS_XATTR_SA`, `ZFS_ACLTYPE_POSIX`, `ZFS_SNAPDIR_HIDDEN` (`sys/fs/zfs.h`).
 */
const LAYER: ZfsProperties = { mountpoint: 'legacy', atime: 0n, xattr: 2n, acltype: 1n, snapdir: 0n };

/** What only a new file system can be given, and a clone has of its origin: names are bytes, whatever the pool says of others. */
const ROOT: ZfsProperties = { ...LAYER, utf8only: 0n, normalization: 0n, casesensitivity: 0n };

/** How often and how long, in milliseconds, is waited for a dataset that is busy. */
const TRIES = 20;
const PAUSE = 50;

/** What a new layer is given. */
export interface NewLayer {
  readonly mark: StoreMark;
  /** In bytes. */
  readonly quota: number | undefined;
}

/** Where a dataset comes from. */
export interface Birth {
  readonly madeAt: bigint;
  readonly origin: string;
}

/** What `zfs get` is asked for it. */
export const BIRTH: readonly string[] = ['-Hp', '-o', 'value', 'creation,origin'];

/** Reads its answer. */
export function readBirth(text: string): Birth {
  const [madeAt = '0', origin = '-'] = text.split('\n');
  return { madeAt: BigInt(madeAt), origin };
}

/** The datasets below one. */
export class Datasets {
  readonly fsName: string;

  constructor(fsName: string) {
    this.fsName = fsName;
  }

  name(id: string): string {
    return `${this.fsName}/${id}`;
  }

  async exists(id: string): Promise<boolean> {
    return await this.has(this.name(id));
  }

  /** Whether there is a dataset of this name, a layer's or another one. */
  protected async has(name: string): Promise<boolean> {
    return zfsExists(name);
  }

  /** Makes an empty one. `EEXIST`. */
  async create(id: string, layer: NewLayer): Promise<void> {
    await zfsCreate(this.name(id), withOwn(ROOT, layer));
  }

  /** A name for a snapshot of the dataset, as Docker gives them: a number. */
  snapshotName(id: string): string {
    return `${this.name(id)}@${process.hrtime.bigint()}${process.pid}`;
  }

  /** Makes snapshots, all of one moment. `ENOENT` without one of the datasets. */
  async snapshot(...names: readonly string[]): Promise<void> {
    await patiently(() => zfsSnapshot(...names));
  }

  /** Makes a clone. `EEXIST`. */
  async clone(id: string, snapshot: string, layer: NewLayer): Promise<void> {
    await patiently(() => zfsClone(this.name(id), snapshot, withOwn(LAYER, layer)));
  }

  /** Destroys snapshots once the last clone of each is gone. No error when one is not there. */
  async dropSnapshot(...names: readonly string[]): Promise<void> {
    await zfsDestroySnapshot(...names);
  }

  /** The same of what nobody needs. Of each that cannot be destroyed, because somebody holds it, people are told: it goes with its dataset. */
  async dropOrWarn(warn: (message: string) => void, ...names: readonly string[]): Promise<void> {
    try {
      await this.dropSnapshot(...names);
    } catch (error) {
      const [name, ...more] = names;
      if (more.length > 0) {
        // One that is held keeps the others.
        for (const one of names) await this.dropOrWarn(warn, one);
      } else warn(`zfs: the snapshot ${name} stays as long as its dataset: ${errorMessage(error)}`);
    }
  }

  /**
   * Destroys a layer's dataset with its snapshots. No error when it is not there; `EBUSY` when it is mounted somewhere; gives the
   * datasets that began as snapshots of it, which keep it from being destroyed. Fails with `Unavailable` where the dataset above it
   * is not there either: it is with a pool that is away, and comes back with that.
   */
  async destroy(id: string): Promise<readonly string[]> {
    try {
      const clones = await this.#destroy(id);
      if (clones !== undefined) return clones;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    if (!(await this.has(this.fsName))) throw new TsengineError('Unavailable', noDataset(this.fsName));
    return [];
  }

  /** The same; `ENOENT`, or gives `undefined`, when it is not there. */
  async #destroy(id: string): Promise<readonly string[] | undefined> {
    try {
      await this.destroyAlone(id);
      return [];
    } catch (error) {
      // It has snapshots, which perhaps have clones; or somebody has it mounted.
      if (!hasErrno(error, 'EBUSY', 'EEXIST')) throw error;
      if (await this.#hasSnapshots(id)) return await this.#destroyWithSnapshots(id, error);
      await this.destroyMounted(id, error);
      return [];
    }
  }

  /** Destroys a dataset that has no snapshots. `ENOENT`; `EBUSY` when it is mounted somewhere, or, as `EEXIST`, when it has some. */
  protected async destroyAlone(id: string): Promise<void> {
    await patiently(() => zfsDestroy(this.name(id)), 3);
  }

  /**
   * Destroys one that is mounted somewhere, or was a moment ago. A container that starts has a copy of all mounts until it is in its own
   * root; what is mounted before our eyes stays so, and gives `busy`.
   */
  protected async destroyMounted(id: string, busy: unknown): Promise<void> {
    if (isMounted('zfs', this.name(id))) throw busy;
    await patiently(() => zfsDestroy(this.name(id)));
  }

  async #hasSnapshots(id: string): Promise<boolean> {
    const what = ['-t', 'snapshot', '-o', 'name', '-d', '1'];
    const { code, stdout } = await runCommand('zfs', ['list', '-H', ...what, this.name(id)]);
    return code !== 0 || stdout.length > 0;
  }

  /** Only where snapshots are in the way: what is mounted somewhere keeps them, and is not unmounted under who reads it. */
  async #destroyWithSnapshots(id: string, busy: unknown): Promise<readonly string[] | undefined> {
    for (let tries = 0; ; tries += 1) {
      const { code, stderr } = await runCommand('zfs', ['destroy', '-r', this.name(id)]);
      if (code === 0) return [];
      if (/dataset does not exist/.test(stderr)) return undefined;
      const clones = /has dependent clones\s+use '-R'.*\n([\s\S]*)/.exec(stderr)?.[1];
      if (clones !== undefined) return clones.trim().split('\n');
      if (!/dataset is busy/.test(stderr)) throw failed(`zfs destroy -r ${this.name(id)}`, stderr);
      if (tries >= TRIES) throw busy;
      await sleep(PAUSE);
    }
  }

  /** When a dataset was made, in seconds since 1970, and which snapshot it began as (`-` is none). */
  async birth(name: string): Promise<Birth> {
    const { stdout } = await this.#ask(['get', ...BIRTH, name]);
    return readBirth(stdout.toString());
  }

  /** Whether a dataset got all its properties: made whole, as against cut off by a loss of power. */
  async isWhole(id: string): Promise<boolean> {
    const { stdout } = await this.#ask(['list', '-H', '-o', 'mountpoint', this.name(id)]);
    return stdout.toString().trim() === 'legacy';
  }

  /** The ids of the store's layers. */
  async list(mark: StoreMark | undefined, unmarked: boolean): Promise<string[]> {
    const columns = `name,mountpoint,${MARK_PROPERTY}`;
    const args = ['list', '-H', '-t', 'filesystem', '-r', '-d', '1', '-o', columns, this.fsName];
    const { stdout } = await this.#ask(args);
    const ids: string[] = [];
    for (const line of stdout.toString().split('\n')) {
      const [name = '', mountpoint, store] = line.split('\t');
      const id = name.slice(this.fsName.length + 1);
      if (mountpoint !== 'legacy' || !isLayerId(id)) continue;
      if (store === mark?.store || (store === '-' && unmarked)) ids.push(id);
    }
    return ids;
  }

  /** Properties of the dataset above the layers, in the order of `names`, sizes in bytes. */
  async properties(names: readonly string[]): Promise<string[]> {
    const { stdout } = await this.#ask(['list', '-Hp', '-o', names.join(','), this.fsName]);
    return stdout.toString().trimEnd().split('\t');
  }

  async #ask(args: readonly string[]): Promise<CommandResult> {
    const result = await runCommand('zfs', args);
    if (result.code !== 0) throw failed(`zfs ${args.join(' ')}`, result.stderr);
    return result;
  }
}

/** Whether a dataset is mounted, as one of a type of file system, where this process sees it. */
export function isMounted(type: string, name: string): boolean {
  return readMountInfo().some((mount) => mount.type === type && mount.source.equals(Buffer.from(name)));
}

/** What is said of a dataset that is not there, with the way out. */
export function noDataset(dataset: string): string {
  const [pool = ''] = dataset.split('/');
  return `zfs: there is no dataset ${dataset}: zpool import ${pool}, zfs create ${dataset}, or name one that zfs list shows with --storage-opt zfs.fsname`;
}

/** The error of a command, with the first line of what it said. */
export function failed(command: string, stderr: string): TsengineError {
  const [line = ''] = stderr.trim().split('\n');
  return new TsengineError('System', `${command}: ${line === '' ? 'it was killed' : line}`);
}

function withOwn(properties: ZfsProperties, { mark, quota }: NewLayer): ZfsProperties {
  const own = { ...properties, [MARK_PROPERTY]: mark.store };
  return quota === undefined ? own : { ...own, quota: BigInt(quota) };
}

/** Others work in the same pool: what is busy now is free in a moment, or is not ours. */
export async function patiently(run: () => Promise<void>, tries = TRIES): Promise<void> {
  for (let left = tries; ; left -= 1) {
    try {
      await run();
      return;
    } catch (error) {
      if (left <= 1 || !hasErrno(error, 'EBUSY', 'EAGAIN')) throw error;
      await sleep(PAUSE);
    }
  }
}
