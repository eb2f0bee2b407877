/** Reading and writing whole containers. The layout and what a crash leaves are in container-folders.ts. */
import { statSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../errors.ts';
import {
  fsyncDirectory,
  makeDirectory,
  readTextIfAny,
  renameFile,
  writeFileAtomic,
  writeNewFile,
} from '../../linux/files.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { hostConfigSchema } from '../api/host-config.ts';
import { parseJson } from '../json.ts';
import { ensureDirectory } from '../root.ts';
import {
  type ContainerFile,
  containerFileSchema,
  containerFileText,
  hostConfigText,
  type StoredContainer,
} from './container-file.ts';
import { ContainerFolders, type ContainerPaths, pathsIn, VOID_PREFIXES } from './container-folders.ts';

/** A container read before, and the look of its files then. */
interface Remembered {
  readonly look: string;
  readonly container: StoredContainer;
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
export class ContainerStore extends ContainerFolders {
  readonly #remembered = new Map<string, Remembered>();

  /** The container, whole and checked; `undefined` when there is none. Fails with `Corrupt`, naming file and field. */
  read(id: string): StoredContainer | undefined {
    const paths = this.paths(id);
    const now = `${look(paths.config)} ${look(paths.hostConfig)}`;
    const remembered = this.#remembered.get(id);
    if (remembered?.look === now) return remembered.container;
    const text = readTextIfAny(paths.config);
    if (text === undefined) return undefined;
    const file = parseJson(text, containerFileSchema(), paths.config);
    if (file.ID !== id)
      throw new TsengineError('Corrupt', `${paths.config}: container ${file.ID} is stored at ${id}`);
    // Docker before 1.4 wrote none.
    const hostConfig = parseJson(readTextIfAny(paths.hostConfig) ?? '{}', hostConfigSchema, paths.hostConfig);
    const container = { file, hostConfig };
    this.#remembered.set(id, { look: now, container });
    return container;
  }

  /**
   * Makes a container: `fill` gets the folder in which it is made and says what it is. The caller holds the container's
   * lock. When it fails nothing is left of the folder, and what else `fill` made is its own to undo.
   */
  async create(
    id: string,
    fill: (paths: ContainerPaths) => Promise<StoredContainer>,
  ): Promise<StoredContainer> {
    ensureDirectory(this.root.containersDir, 0o710);
    const folder = `${this.root.containersDir}/.new-${id}`;
    makeDirectory(folder, 0o710);
    const paths = pathsIn(folder, id);
    try {
      makeDirectory(`${folder}/checkpoints`, 0o700);
      const container = await fill(paths);
      const durable = isDurable(container);
      writeNewFile(paths.hostConfig, hostConfigText(container.hostConfig), { mode: 0o644, durable });
      writeNewFile(paths.config, containerFileText(container.file), { mode: 0o600, durable });
      if (durable) fsyncDirectory(folder);
      renameFile(folder, this.paths(id).folder);
      if (durable) fsyncDirectory(this.root.containersDir);
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
    writeFileAtomic(this.paths(file.ID).config, containerFileText(file), options);
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
    if (options.durable) fsyncDirectory(this.root.containersDir);
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
    this.#remembered.set(id, { look: `${look(paths.config)} ${look(paths.hostConfig)}`, container });
  }
}
