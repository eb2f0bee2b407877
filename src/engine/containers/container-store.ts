/** Reading and writing whole containers. The layout and what a crash leaves are in container-folders.ts. */
import { hasErrno, TsengineError } from '../../errors.ts';
import {
  fsyncDirectory,
  makeDirectory,
  pathExists,
  readTextIfAny,
  removeFile,
  renameFile,
  temporaryName,
  writeFileAtomic,
  writeNewFile,
} from '../../linux/files.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { hostConfigSchema } from '../api/host-config.ts';
import { parseJson } from '../json.ts';
import { lookOf } from '../kept-facts.ts';
import { ensureDirectory } from '../root.ts';
import {
  type ContainerFile,
  containerFileSchema,
  containerFileText,
  hostConfigText,
  type StoredContainer,
} from './container-file.ts';
import { ContainerFolders, type ContainerPaths, pathsIn, VOID_PREFIXES } from './container-folders.ts';
import { isAnonymous } from './volumes.ts';

/** In the folder of a container that is being made: the names of volumes that are made with it, one a line. */
const VOLUMES_NOTE = 'volumes';
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** A container read before, and the look of its files then. */
interface Remembered {
  readonly look: string;
  readonly container: StoredContainer;
}

function volumesText(names: readonly string[]): string {
  return `${names.join('\n')}\n`;
}

/** The containers of one data root. */
export class ContainerStore extends ContainerFolders {
  readonly #remembered = new Map<string, Remembered>();
  /** Containers in whose folders is a note about volumes. */
  readonly #noted = new Set<string>();

  /** The container, whole and checked; `undefined` when there is none of this driver. Fails with `Corrupt`, naming file and field. */
  read(id: string): StoredContainer | undefined {
    const paths = this.paths(id);
    const now = lookOf([paths.config, paths.hostConfig]).look;
    const remembered = this.#remembered.get(id);
    if (remembered?.look === now) return remembered.container;
    const text = readTextIfAny(paths.config);
    if (text === undefined) return undefined;
    const file = parseJson(text, containerFileSchema(), paths.config);
    if (file.ID !== id)
      throw new TsengineError('Corrupt', `${paths.config}: container ${file.ID} is stored at ${id}`);
    if (!this.isOurs(file.Driver)) return undefined;
    // Docker before 1.4 wrote none.
    const hostConfig = parseJson(readTextIfAny(paths.hostConfig) ?? '{}', hostConfigSchema, paths.hostConfig);
    const container = { file, hostConfig };
    this.#remembered.set(id, { look: now, container });
    return container;
  }

  /**
   * Makes a container: `fill` gets the folder in which it is made and says what it is; `appear` calls what gives the
   * folder its name, or throws. Not durably when it will be started at once and go at its end. The caller holds the
   * container's lock. When it fails the folder stays, or is hidden, for `eraseUnfinished`.
   */
  async create(
    id: string,
    durable: boolean,
    fill: (paths: ContainerPaths) => Promise<StoredContainer>,
    appear: (rename: () => void) => Promise<void>,
  ): Promise<StoredContainer> {
    ensureDirectory(this.root.containersDir, 0o710);
    const folder = `${this.root.containersDir}/.new-${id}`;
    makeDirectory(folder, 0o710);
    const paths = pathsIn(folder, id);
    if (!durable) this.#noteVoid(folder);
    makeDirectory(`${folder}/checkpoints`, 0o700);
    const container = await fill(paths);
    writeNewFile(paths.hostConfig, hostConfigText(container.hostConfig), { mode: 0o644, durable });
    writeNewFile(paths.config, containerFileText(container.file), { mode: 0o600, durable });
    if (durable) fsyncDirectory(folder);
    await appear(() => renameFile(folder, this.paths(id).folder));
    if (durable) fsyncDirectory(this.root.containersDir);
    // Of one that goes with the machine the file that names its volumes may be lost, and the note is not.
    if (this.#noted.delete(id) && durable) removeFile(`${this.paths(id).folder}/${VOLUMES_NOTE}`);
    this.#remember(id, container);
    return container;
  }

  #noteVoid(folder: string, volumes: readonly string[] = []): void {
    const note = this.voidNote(folder);
    if (pathExists(note)) return;
    if (volumes.length > 0)
      writeFileAtomic(`${folder}/${VOLUMES_NOTE}`, volumesText(volumes), { alone: true });
    writeNewFile(note, '', { durable: false });
  }

  /** Whether the container does not outlive the machine's running. */
  isVoid(id: string): boolean {
    return pathExists(this.voidNote(this.paths(id).folder));
  }

  /** Removes files that a killed process was replacing. The caller holds the container's lock. */
  clearWrites(id: string): void {
    const { folder, config, hostname, hosts, resolvConf } = this.paths(id);
    const volumes = `${folder}/${VOLUMES_NOTE}`;
    for (const path of [config, hostname, hosts, resolvConf, volumes]) removeFile(temporaryName(path));
  }

  /**
   * Notes, in the folder of a container that is being made, which volumes are about to be made for it. Durably, because they would
   * belong to nobody: a journal that others commit may have the volumes, and of a note that nobody synced the name alone.
   */
  noteVolumes(id: string, volumes: readonly string[]): void {
    this.#noted.add(id);
    writeNewFile(`${this.root.containersDir}/.new-${id}/${VOLUMES_NOTE}`, volumesText(volumes));
  }

  /** The volumes that a container which was never finished, or went with the machine, has made, or was about to. */
  notedVolumes(id: string): string[] {
    const folders = ['.new-', '.gone-'].map((prefix) => `${this.root.containersDir}/${prefix}${id}`);
    const text = folders.map((folder) => readTextIfAny(`${folder}/${VOLUMES_NOTE}`) ?? '').join('\n');
    return text.split('\n').filter((name) => VOLUME_NAME.test(name));
  }

  /** Writes a container's changed `config.v2.json`; not durably for one that goes at its end. The caller holds its lock. */
  write(container: StoredContainer): void {
    const { file, hostConfig } = container;
    const { folder, config } = this.paths(file.ID);
    const volumes = Object.values(file.MountPoints ?? {}).filter(isAnonymous);
    if (hostConfig.AutoRemove)
      this.#noteVoid(
        folder,
        volumes.map(({ Name }) => Name),
      );
    const options = { mode: 0o600, durable: !hostConfig.AutoRemove, alone: true };
    writeFileAtomic(config, containerFileText(file), options);
    this.#remember(file.ID, container);
  }

  /**
   * Takes the container away, so that nobody finds it any more. Its folder stays until `clear`, and says by its name
   * whether anonymous volumes are to go. The caller holds its lock.
   */
  hide(id: string, options: { readonly durable: boolean; readonly volumes: boolean }): void {
    this.#remembered.delete(id);
    try {
      renameFile(this.paths(id).folder, this.#hiddenFolder(id, options.volumes));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      return;
    }
    try {
      if (options.durable) fsyncDirectory(this.root.containersDir);
    } catch (error) {
      // Who is told that it failed must find it there.
      renameFile(this.#hiddenFolder(id, options.volumes), this.paths(id).folder);
      throw error;
    }
  }

  /**
   * What a hidden container was, for whoever finishes its removal; `undefined` when there is no such folder, or nothing
   * in it that can be read.
   */
  hidden(id: string): { readonly file: ContainerFile; readonly volumes: boolean } | undefined {
    for (const volumes of [true, false]) {
      const { config } = pathsIn(this.#hiddenFolder(id, volumes), id);
      const text = readTextIfAny(config);
      if (text === undefined) continue;
      try {
        return { file: parseJson(text, containerFileSchema(), config), volumes };
      } catch {
        // Nobody will repair what is on its way out.
        return undefined;
      }
    }
    return undefined;
  }

  /** Removes the folder of a container that is hidden, or was never finished. */
  clear(id: string): void {
    for (const prefix of VOID_PREFIXES) removeTree(`${this.root.containersDir}/${prefix}${id}`);
  }

  #hiddenFolder(id: string, volumes: boolean): string {
    return `${this.root.containersDir}/${volumes ? '.gone-' : '.old-'}${id}`;
  }

  #remember(id: string, container: StoredContainer): void {
    const paths = this.paths(id);
    this.#remembered.set(id, { look: lookOf([paths.config, paths.hostConfig]).look, container });
  }
}
