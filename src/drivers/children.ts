/** Which layers stand on which, for drivers that keep that in a record of the upper one. */
import { lstat } from '../linux/stat.ts';

/** Where the records are. */
export interface LayerRecords {
  /** The folder whose change time tells that a layer came or went. */
  readonly folder: string;
  exists(id: string): boolean;
  /** False where it is certain, at no cost, that an image layer has no child. */
  mayHaveChildren(id: string): boolean;
  /** What records call a layer that they have for a parent. */
  nameOf(id: string): string;
  /** The ids of all layers. */
  list(): readonly string[];
  /** What the record of a layer calls its parent; `undefined` without one, and for a layer that is gone or that nobody can use. */
  parentOf(id: string): string | undefined;
}

/**
 * Only `remove` asks, and then every record is read once; the answer is kept for as long as the folder's own change time says
 * that no layer came or went but through here.
 */
export class Children {
  readonly #records: LayerRecords;
  /** What records call a parent, to its children. */
  #byParent = new Map<string, Set<string>>();
  #asOf = '';

  constructor(records: LayerRecords) {
    this.#records = records;
  }

  /** One child of the layer, if it has any. By contract a container's layer has none, and its init layer that alone. */
  of(id: string): string | undefined {
    if (!this.#records.mayHaveChildren(id)) return undefined;
    const container = /^(.+)-init$/.exec(id)?.[1];
    if (container !== undefined) return this.#records.exists(container) ? container : undefined;
    if (this.#asOf !== this.#stamp()) this.#read();
    return this.#byParent.get(this.#records.nameOf(id))?.values().next().value;
  }

  /** Runs what removes the layer from the folder, and keeps the answer current. */
  removing(id: string, remove: () => void): void {
    const current = this.#asOf !== '' && this.#asOf === this.#stamp();
    const parent = current ? this.#records.parentOf(id) : undefined;
    remove();
    if (!current) return;
    if (parent !== undefined) this.#byParent.get(parent)?.delete(id);
    this.#asOf = this.#stamp();
  }

  #stamp(): string {
    const { ctime } = lstat(this.#records.folder);
    return `${ctime.sec}.${ctime.nsec}`;
  }

  #read(): void {
    this.#asOf = this.#stamp();
    this.#byParent = new Map();
    for (const id of this.#records.list()) {
      const parent = this.#records.parentOf(id);
      if (parent === undefined) continue;
      const children = this.#byParent.get(parent) ?? new Set();
      this.#byParent.set(parent, children.add(id));
    }
  }
}
