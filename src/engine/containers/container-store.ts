/**
 * Containers on disk, in Docker's layout: `<data-root>/containers/<id>/` with `config.v2.json`, `hostconfig.json` and
 * what else belongs to a container (`hostname`, `hosts`, `resolv.conf`, `checkpoints/`, logs).
 *
 * A container appears in one step, by a rename of the folder `.new-<id>` in which it was made, and goes in one step, by a
 * rename to `.old-<id>`. Both names say the same to whoever finds one while nobody holds the container's lock: there is
 * no such container, and its layer, its network and this folder are to be removed (`voidIds`). Docker logs such a folder
 * as one it cannot load, and leaves it.
 *
 * Containers with AutoRemove are void after a power cut and are written without fsync; others are durable at each step.
 */
import { statSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import {
  fsyncDirectory,
  listDirectory,
  makeDirectory,
  pathExists,
  readTextIfAny,
  renameFile,
  writeFileAtomic,
  writeNewFile,
} from '../../linux/files.ts';
import type { Lock } from '../../linux/flock.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { hostConfigSchema } from '../api/host-config.ts';
import { goJson, parseJson, parseJsonText } from '../json.ts';
import { type DataRoot, ensureDirectory } from '../root.ts';
import { containerFileSchema, type StoredContainer } from './container-file.ts';
import { type ContainerRow, containerRow } from './container-row.ts';
import { ContainerNames } from './container-names.ts';

const ID = /^[0-9a-f]{64}$/;
const VOID = /^\.(?:new|old)-([0-9a-f]{64})$/;

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

/** A container read before, and the look of its files then. */
interface Remembered {
  readonly look: string;
  readonly container: StoredContainer;
}

function pathsIn(folder: string, id: string): ContainerPaths {
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

/** What tells one version of a file from another: each version is a file of its own, renamed into place. */
function look(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '-' : `${stat.ino}:${stat.mtimeNs}:${stat.size}`;
}

function isDurable(container: StoredContainer): boolean {
  return !container.hostConfig.AutoRemove;
}

/** The containers of one data root. */
export class ContainerStore {
  readonly names: ContainerNames;
  readonly #root: DataRoot;
  readonly #remembered = new Map<string, Remembered>();

  constructor(root: DataRoot) {
    this.#root = root;
    this.names = new ContainerNames(root, {
      ids: () => this.ids(),
      nameOf: (id) => this.row(id)?.name,
      isBeingMade: (id) => this.#isBeingMade(id),
    });
  }

  /** The ids of all containers, in no order. */
  ids(): string[] {
    return listDirectory(this.#root.containersDir).filter((name) => ID.test(name));
  }

  /** Whether there is a container of this id. */
  exists(id: string): boolean {
    return ID.test(id) && pathExists(this.paths(id).config);
  }

  paths(id: string): ContainerPaths {
    return pathsIn(`${this.#root.containersDir}/${id}`, id);
  }

  /** The container, whole and checked; `undefined` when there is none. Fails with `Corrupt`, naming file and field. */
  read(id: string): StoredContainer | undefined {
    const paths = this.paths(id);
    const now = `${look(paths.config)} ${look(paths.hostConfig)}`;
    const remembered = this.#remembered.get(id);
    if (remembered?.look === now) return remembered.container;
    const text = readTextIfAny(paths.config);
    if (text === undefined) return undefined;
    const file = parseJson(text, containerFileSchema, paths.config);
    if (file.ID !== id) throw new TsengineError('Corrupt', `${paths.config}: container ${file.ID} is stored at ${id}`);
    // Docker before 1.4 wrote none.
    const hostConfig = parseJson(readTextIfAny(paths.hostConfig) ?? '{}', hostConfigSchema, paths.hostConfig);
    const container = { file, hostConfig };
    this.#remembered.set(id, { look: now, container });
    return container;
  }

  /** What lists show of the container, with cheap checks only. `undefined` when there is none; fails with `Corrupt`. */
  row(id: string): ContainerRow | undefined {
    const paths = this.paths(id);
    const text = readTextIfAny(paths.config);
    if (text === undefined) return undefined;
    const hostText = readTextIfAny(paths.hostConfig) ?? '{}';
    return containerRow(id, paths, parseJsonText(text, paths.config), parseJsonText(hostText, paths.hostConfig));
  }

  /**
   * Makes a container: `fill` gets the folder in which it is made and says what it is. The caller holds the container's
   * lock. When it fails nothing is left of the folder, and what else `fill` made is its own to undo.
   */
  async create(id: string, fill: (paths: ContainerPaths) => Promise<StoredContainer>): Promise<StoredContainer> {
    ensureDirectory(this.#root.containersDir, 0o710);
    const folder = `${this.#root.containersDir}/.new-${id}`;
    makeDirectory(folder, 0o710);
    const paths = pathsIn(folder, id);
    try {
      makeDirectory(`${folder}/checkpoints`, 0o700);
      const container = await fill(paths);
      const durable = isDurable(container);
      writeNewFile(paths.hostConfig, `${goJson(container.hostConfig)}\n`, { mode: 0o644, durable });
      writeNewFile(paths.config, `${goJson(container.file)}\n`, { mode: 0o600, durable });
      if (durable) fsyncDirectory(folder);
      renameFile(folder, this.paths(id).folder);
      if (durable) fsyncDirectory(this.#root.containersDir);
      this.#remember(id, container);
      return container;
    } catch (error) {
      removeTree(folder);
      throw error;
    }
  }

  /** Writes a container's changed `config.v2.json`. The caller holds its lock. */
  write(container: StoredContainer): void {
    const { file } = container;
    const options = { mode: 0o600, durable: isDurable(container) };
    writeFileAtomic(this.paths(file.ID).config, `${goJson(file)}\n`, options);
    this.#remember(file.ID, container);
  }

  /** Takes the container away, so that nobody finds it any more. Its folder stays until `clear`. The caller holds its lock. */
  hide(id: string, durable: boolean): void {
    this.#remembered.delete(id);
    try {
      renameFile(this.paths(id).folder, `${this.#root.containersDir}/.old-${id}`);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      return;
    }
    if (durable) fsyncDirectory(this.#root.containersDir);
  }

  /** Removes the folder of a container that is hidden, or was never finished. */
  clear(id: string): void {
    for (const state of ['new', 'old']) removeTree(`${this.#root.containersDir}/.${state}-${id}`);
  }

  /** The ids of containers that were being made or removed, by the living or the dead. */
  voidIds(): string[] {
    return listDirectory(this.#root.containersDir).flatMap((name) => VOID.exec(name)?.[1] ?? []);
  }

  /** Takes the container's lock, waiting for it. */
  lock(id: string): Promise<Lock> {
    return this.#root.lock(`container-${id}`, { ephemeral: true });
  }

  /** Takes the container's lock if it is free. */
  tryLock(id: string): Lock | undefined {
    return this.#root.tryLock(`container-${id}`, { ephemeral: true });
  }

  #isBeingMade(id: string): boolean {
    if (this.exists(id)) return false;
    const lock = this.tryLock(id);
    lock?.release();
    return lock === undefined;
  }

  #remember(id: string, container: StoredContainer): void {
    const paths = this.paths(id);
    this.#remembered.set(id, { look: `${look(paths.config)} ${look(paths.hostConfig)}`, container });
  }
}

/** One line for a container that cannot be read, for lists that go on without it. */
export function unreadable(id: string, error: unknown): string {
  return `container ${id.slice(0, 12)} is left out: ${errorMessage(error)}`;
}
