/** The trees that images hold, all below `bench/`. A volume of a subject without a driver holds the same at the same place. */
import { directory, type Entry, file, type ImagePlan, type Layer } from './images.ts';

const MIB = 1024 * 1024;

/** Where a container finds what it works on. */
export const ROOT = '/bench';

/** Small files in each directory. */
export const IN_EACH = 100;

/** An image of `layers` over the one that every image begins with. */
export function imageOf(name: string, base: Layer, layers: readonly Layer[]): ImagePlan {
  return { name: `tsengine-bench-${name}`, layers: [base, ...layers] };
}

/** One large file, `bench/large`. */
export function largeFile(bytes: number): Layer {
  return [directory('bench'), file('bench/large', bytes)];
}

/**
 * How often small files are there, so that what is cold or gone afterwards can be measured as often: few of them are there three
 * times, unless there are minutes for all, in which more turns tell more.
 */
export function smallSets(count: number, isQuick: boolean): number {
  return count <= 1000 && !isQuick ? 3 : 1;
}

/** Small files, `bench/small-SET/DIRECTORY/NUMBER`. */
export function smallFiles(count: number, bytes: number, sets = 1): Layer {
  const entries: Entry[] = [directory('bench')];
  for (let set = 0; set < sets; set++) {
    const root = `bench/small-${set}`;
    entries.push(directory(root));
    for (let index = 0; index < count; index++) {
      if (index % IN_EACH === 0) entries.push(directory(`${root}/${index / IN_EACH}`));
      entries.push(file(`${root}/${Math.floor(index / IN_EACH)}/${index}`, bytes));
    }
  }
  return entries;
}

/** Files of a source tree. */
const SOURCES = 2000;

/**
 * A tree like that of a program's sources, below `root`: 2 000 files in 125 directories two deep, half of them under 4 KiB and
 * some of 60, 14 MB together.
 */
export function sourceTree(root: string): Layer {
  const entries: Entry[] = [directory(root)];
  for (let index = 0; index < SOURCES; index++) {
    const [top, folder] = [Math.floor(index / 400), Math.floor(index / 16)];
    if (index % 400 === 0) entries.push(directory(`${root}/part-${top}`));
    if (index % 16 === 0) entries.push(directory(`${root}/part-${top}/folder-${folder}`));
    entries.push(file(`${root}/part-${top}/folder-${folder}/source-${index}.c`, sourceBytes(index)));
  }
  return entries;
}

/** Sizes from 200 bytes to 60 KB, most of them small, in no order. */
function sourceBytes(index: number): number {
  const place = ((index * 7919) % 1000) / 1000;
  return Math.round(200 + 60_000 * place ** 4 * 0.9 + 4000 * place);
}

/** One of the files that lie so many layers below the top. */
export function lowerPath(depth: number, copy: number): string {
  return `bench/lower-${depth}-${copy}`;
}

/** Bytes of the files that are copied up, of an image, where they are small. */
const LOWER_BYTES = 256 * MIB;

/** How many files there are at each depth: each can be changed for the first time once. Four are one for each sort of change. */
export function lowerCopies(bytes: number, depths: readonly number[], isQuick: boolean): number {
  return Math.max(1, Math.min(isQuick ? 4 : 12, Math.floor(LOWER_BYTES / (bytes * depths.length))));
}

/**
 * Layers with files of `bytes` each in the layer 1, 10, 50… below the top, and layers of one little file between. A container's own
 * layer is the top: a depth of 1 is the image's uppermost layer.
 */
export function lowerFiles(bytes: number, depths: readonly number[], copies: number): readonly Layer[] {
  const deepest = Math.max(...depths);
  return Array.from({ length: deepest }, (_, index) => {
    const depth = deepest - index;
    return depths.includes(depth)
      ? [
          directory('bench'),
          ...Array.from({ length: copies }, (_unused, copy) => file(lowerPath(depth, copy), bytes)),
        ]
      : [directory('bench'), file(`bench/between-${depth}`, 100)];
  });
}

/** So many layers of one little file each. */
export function littleLayers(count: number): readonly Layer[] {
  return Array.from({ length: count }, (_, index) => [
    directory('bench'),
    file(`bench/little-${index}`, 100),
  ]);
}

/** What docker-storage-benchmark has in its image: by its names and sizes, or a small part of them. */
export interface ParallelTrees {
  /** Sizes of big files in MiB, and how many of each. */
  readonly big: readonly number[];
  readonly ofEach: number;
  readonly small: number;
  readonly treeDepth: number;
}

/** All of it: 1.7 GB in 26 000 files. */
export const PARALLEL_ALL: ParallelTrees = { big: [1, 8, 32, 128], ofEach: 10, small: 10_001, treeDepth: 14 };

/** A small part: a hundred at once take a hundred times as long as one. */
export const PARALLEL_PART: ParallelTrees = { big: [1, 8], ofEach: 3, small: 1000, treeDepth: 8 };

/** Big files, small files of 512 bytes, and a binary tree with a little file in each leaf. */
export function parallelTrees({ big, ofEach, small, treeDepth }: ParallelTrees): Layer {
  return [
    ...[directory('bench'), directory('bench/big-files'), directory('bench/small-files')],
    ...Array.from({ length: ofEach }, (_, index) =>
      big.map((size) => file(`bench/big-files/${size}M-${index}.bin`, size * MIB)),
    ).flat(),
    ...Array.from({ length: small }, (_, index) => file(`bench/small-files/${index}`, 512)),
    ...binaryTree('bench/tree-of-files', treeDepth),
  ];
}

/** The tree alone. */
export function binaryTree(root: string, depth: number): Layer {
  if (depth === 0)
    return [directory(root), { kind: 'file', path: `${root}/oh-hi`, bytes: 8, text: 'oh, hi!\n' }];
  return [directory(root), ...binaryTree(`${root}/0`, depth - 1), ...binaryTree(`${root}/1`, depth - 1)];
}
