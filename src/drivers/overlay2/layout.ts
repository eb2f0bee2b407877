/**
 * overlay2 on disk, as Docker 20.10 writes it. Below the driver's home (0710):
 *
 * ```
 * l/                     0700  short names, so that 128 of them fit the page of options that mount(2) takes
 *   XXXXXXXXXXXXXXXXXXXXXXXXXX -> ../<id>/diff      26 characters of base32
 * <id>/                  0710
 *   link                 0644  the name under l/, without a newline
 *   diff/                      what the layer adds: the upper directory of its mount, a lower one of its children's
 *   lower                0644  `l/A:l/B:…`, the parents, nearest first; absent without a parent
 *   work/                0700  overlayfs' own; absent without a parent
 *   merged/              0700  the mount point, while mounted
 *   committed            0600  empty; from the first child on, and says that the layer is only read any more
 * .tsengine/             0700  ours: layers that are being made or removed (../staging.ts)
 * ```
 *
 * Invariants: a folder `<id>` has all of the above from its first moment, since it is renamed into place; the name
 * under `l/` exists before `<id>` does and goes after it. A crash leaves a name under `l/` that leads nowhere beside a
 * folder in `.tsengine` that says which, and nothing else.
 */
import { hasErrno, TsengineError } from '../../errors.ts';
import { readlinkAt } from '../../linux/at.ts';
import {
  listDirectory,
  makeDirectory,
  makeSymlink,
  pathExists,
  readTextIfAny,
  removeDirectory,
  removeFile,
  writeNewFile,
} from '../../linux/files.ts';
import { randomBytes } from '../../linux/random.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { isLayerId } from '../layer-id.ts';
import { isDirectory } from '../staging.ts';

/** The folder of short names. */
export const LINKS = 'l';

/** The short name that the file `link` in a layer's folder holds; `undefined` when it holds none. */
function linkIn(folder: string): string | undefined {
  const name = readTextIfAny(`${folder}/link`);
  return name !== undefined && /^[A-Z2-7]{26}$/.test(name) ? name : undefined;
}

/** Paths of one data root's overlay2 folder. */
export class Layout {
  readonly home: string;

  constructor(home: string) {
    this.home = home;
  }

  layer(id: string): string {
    return `${this.home}/${id}`;
  }
  diff(id: string): string {
    return `${this.home}/${id}/diff`;
  }
  work(id: string): string {
    return `${this.home}/${id}/work`;
  }
  merged(id: string): string {
    return `${this.home}/${id}/merged`;
  }

  /** Whether there is a layer of this id. */
  exists(id: string): boolean {
    return isLayerId(id) && isDirectory(this.layer(id));
  }

  /** The short name of a layer's `diff`, relative to the home: `l/XXX`. */
  link(id: string): string {
    const name = linkIn(this.layer(id)) ?? this.#linkTo(id);
    if (name === undefined) {
      throw new TsengineError('Corrupt', `${this.layer(id)}/link: want 26 characters of base32`);
    }
    return `${LINKS}/${name}`;
  }

  /** The short name that leads to a layer whose file `link` a power cut has emptied. Looks at all of them. */
  #linkTo(id: string): string | undefined {
    const target = `../${id}/diff`;
    return listDirectory(`${this.home}/${LINKS}`).find((name) => {
      try {
        return readlinkAt(AT_FDCWD, `${this.home}/${LINKS}/${name}`).toString('latin1') === target;
      } catch (error) {
        if (hasErrno(error, 'ENOENT', 'EINVAL')) return false;
        throw error;
      }
    });
  }

  /** The short names of a layer's parents, nearest first; none when it has no parent. */
  lowers(id: string): readonly string[] {
    const text = readTextIfAny(`${this.layer(id)}/lower`);
    if (text === undefined) return [];
    const lowers = text.split(':');
    const bad = lowers.find((lower) => !/^l\/[A-Z2-7]{26}$/.test(lower));
    if (bad !== undefined) {
      throw new TsengineError(
        'Corrupt',
        `${this.layer(id)}/lower: ${JSON.stringify(bad)} is not a name under l/`,
      );
    }
    return lowers;
  }

  /** What `lower` of a child of this layer holds: the layer itself and its parents. */
  stack(id: string): readonly string[] {
    return [this.link(id), ...this.lowers(id)];
  }

  /** The id of the layer that a short name belongs to. */
  idOf(lower: string): string {
    const target = readlinkAt(AT_FDCWD, `${this.home}/${lower}`).toString('latin1');
    const [, id] = /^\.\.\/([^/]+)\/diff$/.exec(target) ?? [];
    if (id === undefined || !isLayerId(id)) {
      throw new TsengineError(
        'Corrupt',
        `${this.home}/${lower}: leads to ${JSON.stringify(target)}, not to a layer`,
      );
    }
    return id;
  }

  /** The absolute `diff` folders of a layer's parents, nearest first. */
  lowerDiffs(id: string): string[] {
    return this.lowers(id).map((lower) => this.diff(this.idOf(lower)));
  }

  /** Whether the layer only ever is a parent or read any more. */
  isCommitted(id: string): boolean {
    return pathExists(`${this.layer(id)}/committed`);
  }

  /** Marks the layer as one that has children. */
  commit(id: string): void {
    try {
      writeNewFile(`${this.layer(id)}/committed`, '', { durable: false });
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
  }

  /** Makes the short name (without `l/`) lead to the layer `id`, which need not be there yet. */
  makeLink(name: string, id: string): void {
    makeSymlink(`../${id}/diff`, `${this.home}/${LINKS}/${name}`);
  }

  /** Puts back short names that are gone, for every layer named; Docker does the same when a mount finds one missing. */
  repairLinks(ids: readonly string[]): void {
    for (const id of ids) {
      const name = linkIn(this.layer(id));
      if (name === undefined) continue;
      const path = `${this.home}/${LINKS}/${name}`;
      if (!pathExists(path)) this.makeLink(name, id);
    }
  }

  /** Removes the short name of the layer whose folder is now at `path`, in the staging folder. */
  dropLink(path: string): void {
    const id = path.slice(path.lastIndexOf('/') + 1).replace(/\..*$/, '');
    const name = linkIn(path) ?? this.#linkTo(id);
    if (name !== undefined) removeFile(`${this.home}/${LINKS}/${name}`);
  }

  /** Removes the mount points that are left of a machine that stopped. */
  removeMountPoints(): void {
    for (const id of listDirectory(this.home).filter(isLayerId)) {
      if (!pathExists(this.merged(id))) continue;
      try {
        removeDirectory(this.merged(id));
      } catch (error) {
        // Another exec root has it mounted; or it cannot be removed now, and does no harm as empty as it is.
        if (!hasErrno(error, 'EBUSY', 'ENOTEMPTY', 'ENOENT', 'ENOSPC', 'EDQUOT')) throw error;
      }
    }
  }

  /** Makes the home and its folder of short names. */
  make(): void {
    for (const [path, mode] of [
      [this.home, 0o710],
      [`${this.home}/${LINKS}`, 0o700],
    ] as const) {
      if (isDirectory(path)) continue;
      try {
        makeDirectory(path, mode);
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
      }
    }
  }

  /** Takes `make` back, as far as nothing is in what it made. */
  unmake(): void {
    for (const path of [`${this.home}/${LINKS}`, this.home]) {
      try {
        removeDirectory(path);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EBUSY')) throw error;
      }
    }
  }
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const NAME_LENGTH = 26;

/** A new short name, without `l/`: 26 random characters. */
export function randomName(): string {
  let name = '';
  for (const byte of randomBytes(NAME_LENGTH)) name += BASE32.charAt(byte & 31);
  return name;
}
