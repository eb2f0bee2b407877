/**
 * What lists found in the files of images and containers, kept in the exec root between commands: a list of a thousand then
 * asks the kernel whether the files are the ones that were read, and opens those that are not. Nothing depends on it: it may
 * be lost, be of another version or not be written at all, and then the files are read.
 *
 *     <exec-root>/facts/NAME   {"format": …, "facts": {KEY: [LOOK, FACT]}}
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { readTextIfAny, writeFileAtomic } from '../linux/files.ts';
import { buildInfo } from '../version.ts';
import { type DataRoot, ensureDirectory } from './root.ts';

/** A file that was changed less than this many milliseconds ago may change again without looking otherwise: no clock of a filesystem is coarser. */
const UNSETTLED = 2000;
/** As many must have been read before they are worth a write. */
const WORTH = 20;

type Kept<T> = readonly [look: string, fact: T];

/** Facts by key. What a fact is taken from is named at each call. */
export class KeptFacts<T> {
  readonly #path: string | undefined;
  readonly #isFact: (value: unknown) => value is T;
  readonly #format = `1 ${buildInfo().version} ${buildInfo().gitCommit}`;
  readonly #before: ReadonlyMap<string, unknown>;
  readonly #now = new Map<string, Kept<T>>();
  #read = 0;

  /** `isFact` says whether something that was kept is a fact: what it says no to is read again. Nothing is kept of a root that is only read. */
  constructor(
    root: Pick<DataRoot, 'readOnly' | 'execRoot'>,
    name: string,
    isFact: (value: unknown) => value is T,
  ) {
    this.#path = root.readOnly ? undefined : `${root.execRoot}/facts/${name}`;
    this.#isFact = isFact;
    this.#before = this.#load();
  }

  /** The fact at `key`: what was kept, if the files are those it was taken from, else what `read` takes from them. */
  of(key: string, files: readonly string[], read: () => T | undefined): T | undefined {
    const { look, changed } = lookOf(files);
    const kept = this.#before.get(key);
    if (Array.isArray(kept) && kept[0] === look) {
      const fact: unknown = kept[1];
      if (this.#isFact(fact)) {
        this.#now.set(key, [look, fact]);
        return fact;
      }
    }
    // Looked at before they are read: what changes in between looks otherwise the next time.
    const fact = read();
    if (fact !== undefined && changed < Date.now() - UNSETTLED) {
      this.#read += 1;
      this.#now.set(key, [look, fact]);
    }
    return fact;
  }

  /** Keeps what was asked for since, and nothing else. A failure changes nothing: the disk may be full. */
  save(): void {
    if (this.#path === undefined || this.#read < WORTH) return;
    try {
      ensureDirectory(dirname(this.#path), 0o700);
      const text = JSON.stringify({ format: this.#format, facts: Object.fromEntries(this.#now) });
      writeFileAtomic(this.#path, text, { durable: false });
    } catch {
      // The next list reads the files again.
    }
  }

  #load(): Map<string, unknown> {
    if (this.#path === undefined) return new Map();
    try {
      const kept: unknown = JSON.parse(readTextIfAny(this.#path) ?? '{}');
      if (typeof kept !== 'object' || kept === null) return new Map();
      const { format, facts } = { format: undefined, facts: undefined, ...kept };
      const isOurs = format === this.#format && typeof facts === 'object' && facts !== null;
      return new Map(isOurs ? Object.entries(facts) : []);
    } catch {
      return new Map();
    }
  }
}

/** What tells files from any others, earlier versions of themselves included, and when the youngest was changed, in milliseconds since 1970. */
export function lookOf(files: readonly string[]): { readonly look: string; readonly changed: number } {
  let look = '';
  let changed = 0;
  for (const file of files) {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) {
      look += '- ';
      continue;
    }
    look += `${stat.ino}:${stat.ctimeMs}:${stat.size} `;
    changed = Math.max(changed, stat.ctimeMs);
  }
  return { look, changed };
}
