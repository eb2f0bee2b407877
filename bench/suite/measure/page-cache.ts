/** What of files is in the page cache: by mincore(2) as each of them is seen, and by smaps without what they share. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { readText } from '../../../src/linux/files.ts';
import { declare } from '../../../src/linux/libc.ts';

const mmapCall = declare('mmap', 'int64_t', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']);
const munmapCall = declare('munmap', 'int', ['uintptr_t', 'size_t']);
const mincoreCall = declare('mincore', 'int', ['uintptr_t', 'size_t', 'void *']);
const mlockCall = declare('mlock', 'int', ['uintptr_t', 'size_t']);

const PAGE = 4096;
const [PROT_READ, MAP_SHARED] = [1, 1];

/** Bytes of files in the page cache. */
export interface CachedFiles {
  /** Of all of them together, each as it is seen by its path. */
  readonly seen: number;
  /** The same where pages that several of them share are counted once. */
  readonly distinct: number;
}

/** A file in our memory: a mapping of it, of which nothing is read by that. */
interface Mapping {
  readonly at: number;
  readonly length: number;
}

/**
 * Looks. Nothing is read from disk: only pages that are in the cache are entered into our page tables, and how much of each is ours
 * alone is then what the kernel says of the mappings. A filesystem whose cache is not the page cache has nothing in it.
 */
export function cachedOf(paths: readonly string[]): CachedFiles {
  const mappings: Mapping[] = [];
  try {
    let seen = 0;
    for (const path of paths) {
      const mapping = mapFile(path);
      if (mapping === undefined) continue;
      mappings.push(mapping);
      seen += enterCached(mapping);
    }
    return { seen, distinct: proportionOf(mappings) };
  } finally {
    for (const { at, length } of mappings) munmapCall(undefined, at, length);
  }
}

/** `undefined` for an empty file, which has no pages. */
function mapFile(path: string): Mapping | undefined {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size === 0) return undefined;
    return { at: mmapCall({ path }, 0, size, PROT_READ, MAP_SHARED, file, 0), length: size };
  } finally {
    closeSync(file);
  }
}

/** Enters the pages that are in the cache, run by run, and gives how many bytes that is. */
function enterCached({ at, length }: Mapping): number {
  const isIn = Buffer.alloc(Math.ceil(length / PAGE));
  mincoreCall(undefined, at, length, isIn);
  let pages = 0;
  for (let page = 0; page < isIn.length; page++) {
    if (((isIn[page] ?? 0) & 1) === 0) continue;
    const first = page;
    while (((isIn[page] ?? 0) & 1) === 1) page++;
    // Unlike a read of each page, which would be a call each, and unlike MADV_POPULATE_READ, which old kernels lack.
    mlockCall(undefined, at + first * PAGE, (page - first) * PAGE);
    pages += page - first;
  }
  return pages * PAGE;
}

/** `Pss` of the mappings, by /proc/self/smaps: a page that three of them have counts a third in each. */
function proportionOf(mappings: readonly Mapping[]): number {
  let bytes = 0;
  let isOurs = false;
  for (const line of readText('/proc/self/smaps').split('\n')) {
    const range = /^([0-9a-f]+)-[0-9a-f]+ /.exec(line)?.[1];
    if (range !== undefined) {
      const start = Number.parseInt(range, 16);
      isOurs = mappings.some(({ at, length }) => start >= at && start < at + length);
    } else if (isOurs) bytes += Number(/^Pss: +(\d+) kB$/.exec(line)?.[1] ?? 0) * 1024;
  }
  return bytes;
}
