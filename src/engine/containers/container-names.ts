/**
 * Which container has which name. The truth is in the containers' own files; this index makes taking a name atomic
 * between processes, and finding one cheap:
 *
 *     <data-root>/tsengine/names/NAME    a symbolic link whose text is the id
 *     <data-root>/tsengine/names/.stamp  for which boot, and since which start of dockerd, the index is complete
 *
 * symlink(2) fails where the name exists, so one of two processes wins. Nothing here is made durable: after a reboot, or
 * when Docker has worked on the data root (it makes `runtimes/` anew at each start), the stamp does not fit and the index
 * is made again from the files. A link whose container is gone or has another name is void, and is taken over.
 */
import { readlinkSync, statSync } from 'node:fs';
import { hasErrno } from '../../errors.ts';
import { listDirectory, makeSymlink, readTextIfAny, removeFile, writeFileAtomic } from '../../linux/files.ts';
import { type DataRoot, ensureDirectory } from '../root.ts';

/** What the index asks of the store. */
export interface NamedContainers {
  ids(): string[];
  /** The container's name without its slash; `undefined` when there is no such container. */
  nameOf(id: string): string | undefined;
  /** Whether a container of that id is being made by a living process. */
  isBeingMade(id: string): boolean;
}

/** What a kill leaves of a stamp that was being written: see `temporaryName`. */
const TEMPORARY_STAMP = '.tmp-.stamp';

/** The index of names. */
export class ContainerNames {
  readonly #root: DataRoot;
  readonly #containers: NamedContainers;
  readonly #directory: string;
  #checked = false;

  constructor(root: DataRoot, containers: NamedContainers) {
    this.#root = root;
    this.#containers = containers;
    this.#directory = `${root.stateDir}/names`;
  }

  /** Takes the name for the id. Gives the id that has it already, `undefined` on success. */
  async take(name: string, id: string): Promise<string | undefined> {
    await this.#ensureComplete();
    for (;;) {
      if (this.#link(name, id)) return undefined;
      const holder = this.#holder(name);
      if (holder === undefined) continue;
      if (this.#isHeld(name, holder)) return holder;
      using _ = await this.#root.lock('container-names');
      // Only while nobody else clears up: else what they have just taken would go.
      if (this.#holder(name) === holder && !this.#isHeld(name, holder)) removeFile(this.#path(name));
    }
  }

  /** The id that has the name; `undefined` when none does. */
  async find(name: string): Promise<string | undefined> {
    if (name === '' || name.startsWith('.') || name.includes('/')) return undefined;
    // The index is not ours to make, and perhaps not Docker's to keep: the containers' own files say it too.
    if (this.#root.readOnly) return this.#containers.ids().find((id) => this.#containers.nameOf(id) === name);
    await this.#ensureComplete();
    const holder = this.#holder(name);
    return holder !== undefined && this.#containers.nameOf(holder) === name ? holder : undefined;
  }

  /** Gives the name back if the id has it. */
  release(name: string, id: string): void {
    if (this.#holder(name) === id) removeFile(this.#path(name));
  }

  /** Whether there are more names than containers, or a stamp that was not finished. */
  mayNeedPruning(): boolean {
    const all = listDirectory(this.#directory);
    const names = all.filter((name) => !name.startsWith('.'));
    return all.includes(TEMPORARY_STAMP) || names.length > this.#containers.ids().length;
  }

  /** Removes names of containers that are gone or were never finished: what a kill leaves. */
  async prune(): Promise<void> {
    const ids = new Set(this.#containers.ids());
    using _ = await this.#root.lock('container-names');
    removeFile(this.#path(TEMPORARY_STAMP));
    for (const name of this.#names()) {
      const holder = this.#holder(name);
      if (holder === undefined || ids.has(holder) || this.#isHeld(name, holder)) continue;
      removeFile(this.#path(name));
    }
  }

  #names(): string[] {
    return listDirectory(this.#directory).filter((name) => !name.startsWith('.'));
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }

  #link(name: string, id: string): boolean {
    try {
      makeSymlink(id, this.#path(name));
      return true;
    } catch (error) {
      if (hasErrno(error, 'EEXIST')) return false;
      throw error;
    }
  }

  #holder(name: string): string | undefined {
    try {
      return readlinkSync(this.#path(name));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EINVAL', 'ENAMETOOLONG')) return undefined;
      throw error;
    }
  }

  #isHeld(name: string, id: string): boolean {
    return this.#containers.isBeingMade(id) || this.#containers.nameOf(id) === name;
  }

  /** What must be the same for the index to be complete. */
  #stamp(): string {
    const boot = readTextIfAny('/proc/sys/kernel/random/boot_id') ?? '';
    const docker = statSync(`${this.#root.path}/runtimes`, { bigint: true, throwIfNoEntry: false })?.ctimeNs;
    return `${boot.trim()} ${docker ?? '-'}\n`;
  }

  async #ensureComplete(): Promise<void> {
    if (this.#checked) return;
    const file = `${this.#directory}/.stamp`;
    const stamp = this.#stamp();
    if (readTextIfAny(file) !== stamp) {
      ensureDirectory(this.#directory, 0o700);
      using _ = await this.#root.lock('container-names');
      if (readTextIfAny(file) !== stamp) {
        this.#rebuild();
        writeFileAtomic(file, stamp, { durable: false, alone: true });
      }
    }
    this.#checked = true;
  }

  #rebuild(): void {
    for (const name of listDirectory(this.#directory)) {
      const holder = name.startsWith('.') ? undefined : this.#holder(name);
      if (holder !== undefined && !this.#isHeld(name, holder)) removeFile(this.#path(name));
    }
    for (const id of this.#containers.ids()) {
      const name = this.#containers.nameOf(id);
      if (name !== undefined && name !== '') this.#link(name, id);
    }
  }
}
