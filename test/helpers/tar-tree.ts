/** What is in a tar, in a form that two archives can be compared by: one line a member, everything that users can see of it. */
import { createHash, type Hash } from 'node:crypto';
import { TarReader } from '../../src/archive/reader.ts';
import type { TarEntry, TarSink } from '../../src/archive/types.ts';

/** One member of an archive. Members of one hard link have the same `content` and the same `link`. */
export interface TreeEntry {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly mtime: string;
  readonly device: string;
  readonly xattrs: string;
  /** Target of a symbolic link, or the first name of the same file. */
  readonly link: string;
  /** Size and SHA-256 of a file. */
  readonly content: string;
}

/** The members of an archive by cleaned name (latin1, so that all bytes survive). A name that comes twice counts the last time. */
export async function tarTree(
  tar: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<Map<string, TreeEntry>> {
  const sink = new TreeSink();
  const reader = new TarReader(sink);
  for await (const chunk of tar) reader.write(chunk);
  reader.end();
  return sink.tree;
}

function cleaned(name: Buffer): string {
  return (
    name
      .toString('latin1')
      .replace(/^(?:\.?\/)+/, '')
      .replace(/\/+$/, '') || '.'
  );
}

class TreeSink implements TarSink {
  readonly tree = new Map<string, TreeEntry>();
  #current: TarEntry | undefined;
  #hash: Hash | undefined;

  entry(entry: TarEntry): void {
    this.#current = entry;
    this.#hash = entry.type === 'file' ? createHash('sha256') : undefined;
  }

  data(chunk: Buffer): void {
    this.#hash?.update(chunk);
  }

  endEntry(): void {
    const entry = this.#current;
    if (entry === undefined) return;
    const first = entry.type === 'hardlink' ? this.tree.get(cleaned(entry.linkName)) : undefined;
    this.tree.set(
      cleaned(entry.name),
      first === undefined ? this.#describe(entry) : { ...first, link: cleaned(entry.linkName) },
    );
  }

  #describe(entry: TarEntry): TreeEntry {
    const xattrs = [...entry.xattrs].map(([name, value]) => `${name}=${value.toString('hex')}`).sort();
    return {
      type: entry.type,
      mode: entry.mode.toString(8),
      owner: `${entry.uid}:${entry.gid}`,
      mtime: `${entry.mtime.sec}.${String(entry.mtime.nsec).padStart(9, '0')}`,
      device: `${entry.devMajor}:${entry.devMinor}`,
      xattrs: xattrs.join(' '),
      link: entry.linkName.toString('latin1'),
      content: this.#hash === undefined ? '' : `${entry.size} ${this.#hash.digest('hex')}`,
    };
  }
}

/** How two trees differ, a line a path; nothing when they are the same. `ignoreTimes` are paths whose mtime may differ. */
export function treeDifferences(
  left: ReadonlyMap<string, TreeEntry>,
  right: ReadonlyMap<string, TreeEntry>,
  ignoreTimes: ReadonlySet<string> = new Set(),
): string[] {
  const out: string[] = [];
  const text = (name: string, entry: TreeEntry | undefined) =>
    entry === undefined
      ? '(absent)'
      : JSON.stringify(ignoreTimes.has(name) ? { ...entry, mtime: '' } : entry);
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const one = text(name, left.get(name));
    const other = text(name, right.get(name));
    if (one !== other) out.push(`${name}: ${one} / ${other}`);
  }
  return out.sort();
}
