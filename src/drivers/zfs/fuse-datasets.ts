/**
 * The datasets of a store that zfs-fuse serves: the same as those of the kernel's module, asked for by the `zfs` command, which
 * talks to the daemon. mount(2) does not know them: each has the place at which the daemon mounts it as a property, and
 * `canmount=noauto`, so that it does so when it is asked to.
 */
import { hasErrno, TsengineError } from '../../errors.ts';
import { runCommand } from '../../linux/command.ts';
import { errnoNumber, SyscallError } from '../../linux/errno.ts';
import { makeDirectories } from '../../linux/files.ts';
import { isLayerId } from '../layer-id.ts';
import {
  BIRTH,
  type Birth,
  Datasets,
  failed,
  isMounted,
  type NewLayer,
  patiently,
  readBirth,
} from './datasets.ts';
import { NOT_RUNNING, START_IT } from './fuse-daemon.ts';
import { MARK_PROPERTY, type StoreMark } from './store-mark.ts';

/** What the commands say, and which error of the kernel's that is. */
const ERRORS: readonly (readonly [RegExp, string])[] = [
  [/dataset already exists/, 'EEXIST'],
  [/has children|has dependent clones/, 'EEXIST'],
  [/does not exist|no such pool/, 'ENOENT'],
  [/is busy|filesystem already mounted/, 'EBUSY'],
  [/out of space/, 'ENOSPC'],
  [/read-only/, 'EROFS'],
];

/** What a mount of the daemon's is, as mountinfo has it. */
const FUSE = 'fuse.zfs';

/** How often is tried what is busy: the daemon learns of an unmount a while after it. With a pause of 50 ms each. */
const TRIES = 60;

/** Runs a `zfs` command of zfs-fuse's. Fails with the errno that its words stand for, or with what it said. */
export async function fuseZfs(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand('zfs', args);
  if (code === 0) return stdout.toString();
  if (NOT_RUNNING.test(stderr)) {
    throw new TsengineError(
      'Unavailable',
      `zfs: the zfs-fuse daemon does not run, or died: ${START_IT}, and zpool import the pool`,
    );
  }
  const errno = ERRORS.find(([words]) => words.test(stderr))?.[1];
  const number = errno === undefined ? undefined : errnoNumber(errno);
  if (number === undefined) throw failed(`zfs ${args.join(' ')}`, stderr);
  throw new SyscallError(`zfs ${args[0] ?? ''}`, number, { path: args.at(-1) });
}

/** The datasets below one, served by zfs-fuse. */
export class FuseDatasets extends Datasets {
  readonly #graph: string;

  /** `graph` is where layers are mounted. */
  constructor(fsName: string, graph: string) {
    super(fsName);
    this.#graph = graph;
  }

  protected override async has(name: string): Promise<boolean> {
    try {
      await fuseZfs(['list', '-H', '-o', 'name', name]);
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  override async create(id: string, layer: NewLayer): Promise<void> {
    await fuseZfs(['create', ...this.#properties(id, layer), this.name(id)]);
  }

  override async snapshot(...names: readonly string[]): Promise<void> {
    for (const name of names) await patiently(async () => void (await fuseZfs(['snapshot', name])), TRIES);
  }

  override async clone(id: string, snapshot: string, layer: NewLayer): Promise<void> {
    // The command mounts what it made, and makes no folder for that below a name that is not ASCII.
    makeDirectories(`${this.#graph}/${id}`, 0o700);
    const args = ['clone', ...this.#properties(id, layer), snapshot, this.name(id)];
    await patiently(async () => void (await fuseZfs(args)), TRIES);
  }

  override async dropSnapshot(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      try {
        await patiently(async () => void (await fuseZfs(['destroy', '-d', name])), TRIES);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT')) throw error;
      }
    }
  }

  protected override async destroyAlone(id: string): Promise<void> {
    const name = this.name(id);
    const destroy = async (): Promise<void> => void (await fuseZfs(['destroy', name]));
    // What is mounted stays busy; else the daemon is about to let go of it.
    await patiently(destroy, isMounted(FUSE, name) ? 1 : TRIES);
  }

  /** That was waited for. */
  protected override async destroyMounted(_id: string, busy: unknown): Promise<void> {
    throw busy;
  }

  /** Has the daemon mount a layer. `ENOENT` without it, `EBUSY` when it is mounted, or has files open of an earlier mount. */
  async mount(id: string): Promise<void> {
    await patiently(async () => void (await fuseZfs(['mount', this.name(id)])), TRIES);
  }

  /** Has the daemon unmount a layer, wherever it is mounted, and mount it where it belongs from now on. */
  async mountAnew(id: string): Promise<void> {
    await this.unmount(id);
    await fuseZfs(['set', `mountpoint=${this.#graph}/${id}`, this.name(id)]);
    await this.mount(id);
  }

  /** Has the daemon unmount a layer, wherever it is mounted. */
  async unmount(id: string): Promise<void> {
    await fuseZfs(['unmount', this.name(id)]);
  }

  /** Brings to disk what was written to a layer: the kernel does not pass syncfs(2) on to a daemon, and a snapshot waits for it. */
  async sync(id: string): Promise<void> {
    const snapshot = this.snapshotName(id);
    await this.snapshot(snapshot);
    await this.dropSnapshot(snapshot);
  }

  override async birth(name: string): Promise<Birth> {
    return readBirth(await fuseZfs(['get', ...BIRTH, name]));
  }

  override async isWhole(id: string): Promise<boolean> {
    const [mark] = (await fuseZfs(['get', '-H', '-o', 'value', MARK_PROPERTY, this.name(id)])).split('\n');
    return mark !== '-';
  }

  override async list(mark: StoreMark | undefined): Promise<string[]> {
    const columns = `name,${MARK_PROPERTY}`;
    const text = await fuseZfs([
      'list',
      '-H',
      '-t',
      'filesystem',
      '-r',
      '-d',
      '1',
      '-o',
      columns,
      this.fsName,
    ]);
    return text
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([, store]) => store !== undefined && store === mark?.store)
      .map(([name = '']) => name.slice(this.fsName.length + 1))
      .filter(isLayerId);
  }

  override async properties(names: readonly string[]): Promise<string[]> {
    const text = await fuseZfs(['get', '-Hp', '-o', 'value', names.join(','), this.fsName]);
    return text.trimEnd().split('\n');
  }

  #properties(id: string, { mark, quota }: NewLayer): string[] {
    const place = [`mountpoint=${this.#graph}/${id}`, 'canmount=noauto'];
    const own = [...place, 'atime=off', 'snapdir=hidden', `${MARK_PROPERTY}=${mark.store}`];
    if (quota !== undefined) own.push(`quota=${quota}`);
    return own.flatMap((property) => ['-o', property]);
  }
}

/** Whether a mount's type, as mountinfo has it, is that of zfs-fuse. */
export function isFuse(type: string): boolean {
  return type === FUSE;
}
