import { readFileSync } from 'node:fs';
import { hasErrno } from '../../errors.ts';
import { lstat } from '../../linux/stat.ts';
import type { Layout } from './layout.ts';

/**
 * Which layers stand on which. Only `remove` asks. Every record is read once; the answer is kept for as long as the change
 * time of their folder says that no layer came or went but through here.
 */
export class Children {
  readonly #layout: Layout;
  #byParent = new Map<string, Set<string>>();
  #asOf = '';

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** One child of the layer, if it has any. By contract a container's layer has none, and its init layer that alone. */
  of(id: string): string | undefined {
    const container = /^(.+)-init$/.exec(id)?.[1];
    if (container !== undefined) return this.#layout.exists(container) ? container : undefined;
    if (this.#layout.exists(`${id}-init`)) return undefined;
    if (this.#asOf !== this.#stamp()) this.#read();
    return this.#byParent.get(id)?.values().next().value;
  }

  /** Runs what removes the layer's record, and keeps the answer current. */
  removing(id: string, remove: () => void): void {
    const current = this.#asOf !== '' && this.#asOf === this.#stamp();
    const parent = current ? this.#parentOf(id) : undefined;
    remove();
    if (!current) return;
    if (parent !== undefined) this.#byParent.get(parent)?.delete(id);
    this.#asOf = this.#stamp();
  }

  #stamp(): string {
    const { ctime } = lstat(`${this.#layout.home}/layers`);
    return `${ctime.sec}.${ctime.nsec}`;
  }

  /** `undefined` also for a layer that is gone since. Read with nothing around it: there may be ten thousand. */
  #parentOf(id: string): string | undefined {
    try {
      return /^.+/m.exec(readFileSync(this.#layout.record(id), 'latin1'))?.[0];
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  #read(): void {
    this.#asOf = this.#stamp();
    this.#byParent = new Map();
    for (const id of this.#layout.list()) {
      const parent = this.#parentOf(id);
      if (parent === undefined) continue;
      const children = this.#byParent.get(parent) ?? new Set();
      this.#byParent.set(parent, children.add(id));
    }
  }
}
