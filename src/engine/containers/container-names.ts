/**
 * Which container has which name. The truth is in the containers' own files; this index makes taking a name atomic
 * between processes, and finding one cheap:
 *
 *     <data-root>/tsengine/names/DRIVER/NAME    a symbolic link whose text is the id
 *     <data-root>/tsengine/names/DRIVER/.stamp  for which boot, and since which start of dockerd, the index is complete
 *
 * A name that is too long for a file has a link that is called `+` and the name's SHA-256. Each storage driver has names of
 * its own, as in Docker.
 *
 * symlink(2) fails where the name exists, so one of two processes wins. Nothing here is made durable: after a reboot, or
 * when Docker has worked on the data root (it makes `runtimes/` anew at each start), the stamp does not fit and the index
 * is made again from the files. A link whose container is gone or has another name is void, and is taken over.
 */
import { createHash } from 'node:crypto';
import { readlinkSync, statSync } from 'node:fs';
import { hasErrno } from '../../errors.ts';
import {
  listDirectory,
  makeDirectories,
  makeSymlink,
  readTextIfAny,
  removeFile,
  writeFileAtomic,
} from '../../linux/files.ts';
import type { DataRoot } from '../root.ts';

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

/** Bytes of the longest name that a file has. Source: `NAME_MAX` in limits.h. */
const NAME_MAX = 255;

/** The name's link. Names of containers are ASCII. */
function linkName(name: string): string {
  return name.length <= NAME_MAX ? name : `+${createHash('sha256').update(name).digest('hex')}`;
}

/** The index of names. */
export class ContainerNames {
  readonly #root: DataRoot;
  readonly #containers: NamedContainers;
  readonly #directory: string;
  #checked = false;

  constructor(root: DataRoot, driver: string, containers: NamedContainers) {
    this.#root = root;
    this.#containers = containers;
    this.#directory = `${root.stateDir}/names/${driver}`;
  }

  /** Takes the name for the id. Gives the id that has it already, `undefined` on success. */
  async take(name: string, id: string): Promise<string | undefined> {
    await this.#ensureComplete();
    const link = linkName(name);
    for (;;) {
      if (this.#link(link, id)) return undefined;
      const holder = this.#holder(link);
      if (holder === undefined) continue;
      if (this.#isHeld(link, holder)) return holder;
      using _ = await this.#root.lock('container-names');
      // Only while nobody else clears up: else what they have just taken would go.
      if (this.#holder(link) === holder && !this.#isHeld(link, holder)) removeFile(this.#path(link));
    }
  }

  /** The id that has the name; `undefined` when none does. */
  async find(name: string): Promise<string | undefined> {
    if (name === '' || name.startsWith('.') || name.includes('/')) return undefined;
    // The index is not ours to make, and perhaps not Docker's to keep: the containers' own files say it too.
    if (this.#root.readOnly) return this.#containers.ids().find((id) => this.#containers.nameOf(id) === name);
    await this.#ensureComplete();
    const holder = this.#holder(linkName(name));
    return holder !== undefined && this.#containers.nameOf(holder) === name ? holder : undefined;
  }

  /** Gives the name back if the id has it. */
  release(name: string, id: string): void {
    const link = linkName(name);
    if (this.#holder(link) === id) removeFile(this.#path(link));
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
    for (const link of this.#links()) {
      const holder = this.#holder(link);
      if (holder === undefined || ids.has(holder) || this.#isHeld(link, holder)) continue;
      removeFile(this.#path(link));
    }
  }

  #links(): string[] {
    return listDirectory(this.#directory).filter((name) => !name.startsWith('.'));
  }

  #path(link: string): string {
    return `${this.#directory}/${link}`;
  }

  #link(link: string, id: string): boolean {
    try {
      makeSymlink(id, this.#path(link));
      return true;
    } catch (error) {
      if (hasErrno(error, 'EEXIST')) return false;
      throw error;
    }
  }

  #holder(link: string): string | undefined {
    try {
      return readlinkSync(this.#path(link));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EINVAL')) return undefined;
      throw error;
    }
  }

  #isHeld(link: string, id: string): boolean {
    if (this.#containers.isBeingMade(id)) return true;
    const name = this.#containers.nameOf(id);
    return name !== undefined && linkName(name) === link;
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
      makeDirectories(this.#directory, 0o700);
      using _ = await this.#root.lock('container-names');
      if (readTextIfAny(file) !== stamp) {
        this.#rebuild();
        writeFileAtomic(file, stamp, { durable: false, alone: true });
      }
    }
    this.#checked = true;
  }

  #rebuild(): void {
    for (const link of this.#links()) {
      const holder = this.#holder(link);
      if (holder !== undefined && !this.#isHeld(link, holder)) removeFile(this.#path(link));
    }
    for (const id of this.#containers.ids()) {
      const name = this.#containers.nameOf(id);
      if (name !== undefined && name !== '') this.#link(linkName(name), id);
    }
  }
}
