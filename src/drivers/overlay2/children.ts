import { TsengineError } from '../../errors.ts';
import { listDirectory } from '../../linux/files.ts';
import { lstat } from '../../linux/stat.ts';
import { isLayerId } from '../layer-id.ts';
import type { Layout } from './layout.ts';

/**
 * Which layers stand on which. Only `remove` of a layer that has had children asks, and then every `lower` file is read
 * once; the answer is kept for as long as the home's own change time says that no layer came or went but through here.
 */
export class Children {
  readonly #layout: Layout;
  /** The direct parent's short name to its children. */
  #byParent = new Map<string, Set<string>>();
  #asOf = '';

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** One child of the layer, if it has any. */
  of(id: string): string | undefined {
    const layout = this.#layout;
    if (!layout.isCommitted(id)) return undefined;
    // By contract an init layer has no child but its container's.
    const container = /^(.+)-init$/.exec(id)?.[1];
    if (container !== undefined) return layout.exists(container) ? container : undefined;
    if (this.#asOf !== this.#stamp()) this.#read();
    return this.#byParent.get(layout.link(id))?.values().next().value;
  }

  /** Runs what removes the layer from the home, and keeps the answer current. */
  removing(id: string, remove: () => void): void {
    const current = this.#asOf !== '' && this.#asOf === this.#stamp();
    const parent = current ? this.#parentOf(id) : undefined;
    remove();
    if (!current) return;
    if (parent !== undefined) this.#byParent.get(parent)?.delete(id);
    this.#asOf = this.#stamp();
  }

  #stamp(): string {
    const { ctime } = lstat(this.#layout.home);
    return `${ctime.sec}.${ctime.nsec}`;
  }

  /** `undefined` also for a layer that a power cut has left without its record: nobody can use it, and it keeps nothing. */
  #parentOf(id: string): string | undefined {
    try {
      return this.#layout.lowers(id)[0];
    } catch (error) {
      if (error instanceof TsengineError && error.code === 'Corrupt') return undefined;
      throw error;
    }
  }

  #read(): void {
    this.#asOf = this.#stamp();
    this.#byParent = new Map();
    for (const id of listDirectory(this.#layout.home)) {
      const parent = isLayerId(id) ? this.#parentOf(id) : undefined;
      if (parent === undefined) continue;
      const children = this.#byParent.get(parent) ?? new Set();
      this.#byParent.set(parent, children.add(id));
    }
  }
}
