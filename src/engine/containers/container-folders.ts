/**
 * Containers on disk, in Docker's layout: `<data-root>/containers/<id>/` with `config.v2.json`, `hostconfig.json` and
 * what else belongs to a container (`hostname`, `hosts`, `resolv.conf`, `checkpoints/`, logs).
 *
 * A container appears in one step, by a rename of the folder `.new-<id>` in which it was made, and goes in one step, by a
 * rename to `.old-<id>`, or to `.gone-<id>` when its anonymous volumes go with it. The names say the same to whoever finds
 * one while nobody holds the container's lock: there is no such container, and its layer, its name, what else belonged to
 * it and this folder, last, are to be removed (`voidIds`). Docker logs such a folder as one it cannot load, and leaves it.
 *
 * A container is durable at each step, but for one that goes at its end anyway: from the moment `run --rm` makes it, or
 * that it is started, there is an empty file `tsengine-void` in its folder, and nothing of it is synced any more. When the
 * machine has stopped such a container is no more, whatever is left of its files: see after-boot.ts.
 *
 * A data root may hold containers of several storage drivers. As in Docker, those of another driver than the one that is
 * open are not there: they cannot be started, and nothing is to be removed of what cannot be removed whole.
 */
import { errorMessage, TsengineError } from '../../errors.ts';
import { listDirectory, pathExists, readTextIfAny } from '../../linux/files.ts';
import type { Lock } from '../../linux/flock.ts';
import { parseJsonText } from '../json.ts';
import { KeptFacts } from '../kept-facts.ts';
import type { DataRoot } from '../root.ts';
import { ContainerNames } from './container-names.ts';
import { type ContainerRow, containerRow, isContainerRow } from './container-row.ts';

const ID = /^[0-9a-f]{64}$/;
/** In the folder of a container that does not outlive the machine's running. */
const VOID_NOTE = 'tsengine-void';
const VOID = /^\.(?:new|old|gone)-([0-9a-f]{64})$/;

/** Before the id, in the names of folders that are no container: being made; removed; removed with its anonymous volumes. */
export const VOID_PREFIXES = ['.new-', '.old-', '.gone-'] as const;

/** Where a container's files are. */
export interface ContainerPaths {
  readonly folder: string;
  readonly config: string;
  readonly hostConfig: string;
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
  /** Mount points of the container's own, such as `shm`. */
  readonly mounts: string;
  /** Our log, in conmon's k8s-file format. */
  readonly log: string;
  /** Docker's log, which containers that ran under Docker have. */
  readonly dockerLog: string;
}

/** The paths of a container's files in a folder, which is its own or one with a name for the time being. */
export function pathsIn(folder: string, id: string): ContainerPaths {
  return {
    folder,
    config: `${folder}/config.v2.json`,
    hostConfig: `${folder}/hostconfig.json`,
    hostname: `${folder}/hostname`,
    hosts: `${folder}/hosts`,
    resolvConf: `${folder}/resolv.conf`,
    mounts: `${folder}/mounts`,
    log: `${folder}/${id}.log`,
    dockerLog: `${folder}/${id}-json.log`,
  };
}

/** The containers of one data root, as far as folders, names and locks go: all that lists need. */
export class ContainerFolders {
  readonly names: ContainerNames;
  protected readonly root: DataRoot;
  protected readonly driver: string;

  /** `driver` is the storage driver that is open. */
  constructor(root: DataRoot, driver: string) {
    this.root = root;
    this.driver = driver;
    this.names = new ContainerNames(root, driver, {
      ids: () => this.ids(),
      nameOf: (id) => this.#nameOf(id),
      isBeingMade: (id) => this.#isBeingMade(id),
    });
  }

  /** The ids of all containers, those of other drivers among them, in no order. */
  ids(): string[] {
    return listDirectory(this.root.containersDir).filter((name) => ID.test(name));
  }

  /** Whether there is a container of this id, of whatever driver. */
  exists(id: string): boolean {
    return ID.test(id) && pathExists(this.paths(id).config);
  }

  paths(id: string): ContainerPaths {
    return pathsIn(`${this.root.containersDir}/${id}`, id);
  }

  /** The folders in which a container's files may be: its own, and those that hide it while it is made or removed. */
  foldersOf(id: string): string[] {
    return [id, ...VOID_PREFIXES.map((prefix) => `${prefix}${id}`)].map(
      (name) => `${this.root.containersDir}/${name}`,
    );
  }

  /** What earlier lists found in the containers' files; worth its reading for a list of all. */
  keptRows(): KeptFacts<ContainerRow> {
    return new KeptFacts(this.root, `containers-${this.driver}`, isContainerRow);
  }

  /** What lists show of the container, with cheap checks only. `undefined` when there is none of this driver; fails with `Corrupt`. */
  row(id: string, kept?: KeptFacts<ContainerRow>): ContainerRow | undefined {
    const { config, hostConfig } = this.paths(id);
    const read = (): ContainerRow | undefined => this.#anyRow(id);
    const row = kept === undefined ? read() : kept.of(id, [config, hostConfig], read);
    return row !== undefined && this.isOurs(row.driver) ? row : undefined;
  }

  /** Whether a container whose file names that driver is one of those that are there. */
  protected isOurs(driver: string): boolean {
    return driver === this.driver;
  }

  /**
   * Whether only another driver has a layer of the container. It answers for one that was never finished as well, in whose
   * folder there may be no file that says so.
   */
  isForeign(id: string): boolean {
    const images = `${this.root.path}/image`;
    const layer = (driver: string): string => `${images}/${driver}/layerdb/mounts/${id}`;
    if (pathExists(layer(this.driver))) return false;
    return listDirectory(images).some((driver) => driver !== this.driver && pathExists(layer(driver)));
  }

  /**
   * Whether a container, of whatever driver, has the volume, another one than `except`. One that cannot be read may have
   * any. Reads all containers.
   */
  volumeUse(except: string): (volume: string) => boolean {
    const used = new Set<string>();
    for (const id of this.ids()) {
      if (id === except) continue;
      try {
        for (const { type, name } of this.#anyRow(id)?.mounts ?? []) if (type === 'volume') used.add(name);
      } catch (error) {
        if (!(error instanceof TsengineError)) throw error;
        return () => true;
      }
    }
    return (volume) => used.has(volume);
  }

  #anyRow(id: string): ContainerRow | undefined {
    const paths = this.paths(id);
    const text = readTextIfAny(paths.config);
    if (text === undefined) return undefined;
    const hostText = readTextIfAny(paths.hostConfig) ?? '{}';
    return containerRow(
      id,
      paths,
      parseJsonText(text, paths.config),
      parseJsonText(hostText, paths.hostConfig),
    );
  }

  /** The note in a container's folder that it does not outlive the machine's running. */
  voidNote(folder: string): string {
    return `${folder}/${VOID_NOTE}`;
  }

  /** Exists in the exec root, which a stop of the machine empties, when what the last stop left has been cleared up. */
  get settledFile(): string {
    return `${this.root.execRoot}/settled-${this.driver}`;
  }

  /** Where those who are about to start a container say so: see pledges.ts. */
  get startingDir(): string {
    return `${this.root.execRoot}/starting`;
  }

  /** Whether a process may have died here in the middle of something. A few directory listings. */
  mayNeedRecovery(): boolean {
    return (
      !pathExists(this.settledFile) ||
      this.voidIds().length > 0 ||
      listDirectory(this.startingDir).length > 0 ||
      this.names.mayNeedPruning()
    );
  }

  /** The ids of containers of this driver that were being made or removed, by the living or the dead. */
  voidIds(): string[] {
    const all = listDirectory(this.root.containersDir).flatMap((name) => VOID.exec(name)?.[1] ?? []);
    return all.filter((id) => !this.isForeign(id));
  }

  /** Takes the container's lock, waiting for it. */
  lock(id: string): Promise<Lock> {
    return this.root.lock(`container-${id}`, { ephemeral: true });
  }

  /** Takes the container's lock if it is free. */
  tryLock(id: string): Lock | undefined {
    return this.root.tryLock(`container-${id}`, { ephemeral: true });
  }

  /** A container that cannot be read has no name that anybody could find it by. */
  #nameOf(id: string): string | undefined {
    try {
      return this.row(id)?.name;
    } catch (error) {
      if (error instanceof TsengineError && error.code === 'Corrupt') return undefined;
      throw error;
    }
  }

  #isBeingMade(id: string): boolean {
    if (this.exists(id)) return false;
    const lock = this.tryLock(id);
    lock?.release();
    return lock === undefined;
  }
}

/** One line for a container that cannot be read, for lists that go on without it. */
export function unreadable(id: string, error: unknown): string {
  return `container ${id.slice(0, 12)} is left out: ${errorMessage(error)}`;
}
