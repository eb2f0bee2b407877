/**
 * The parts of a run. All jobs of a block have the same image, each subject a fresh store for it; subjects and jobs are interleaved
 * within it, and everything of it is gone before the next begins, so that no more room is taken than the largest needs.
 */
import { CATALOGUE, type CatalogueEntry, type Extent, SCALES, type ScaleName } from '../catalogue.ts';
import type { Layer } from './images.ts';
import { churnJob, fragmentsJob } from './jobs/churn.ts';
import { copyUpJob } from './jobs/copy-up.ts';
import { databaseJob } from './jobs/database.ts';
import { densityJob } from './jobs/density.ts';
import { harnessJob } from './jobs/harness.ts';
import { buildJob, filesJob, layersJob } from './jobs/in-process.ts';
import type { Job, SeriesName } from './jobs/job.ts';
import { largeFilesJob } from './jobs/large-files.ts';
import { parallelJob } from './jobs/parallel.ts';
import { smallFilesJob, sourceTreeJob } from './jobs/small-files.ts';
import { startJob } from './jobs/start.ts';
import type { Tool } from './tools.ts';
import {
  binaryTree,
  largeFile,
  littleLayers,
  lowerCopies,
  lowerFiles,
  PARALLEL_ALL,
  PARALLEL_PART,
  parallelTrees,
  smallFiles,
  smallSets,
  sourceTree,
} from './trees.ts';

const MIB = 1024 * 1024;

/** See above. */
export interface Block {
  /** Unique: `copy-up-4096`. */
  readonly id: string;
  /** For people, in a line of progress. */
  readonly title: string;
  readonly jobs: readonly Job[];
  /** The image's layers above the one that every image begins with; none for work without an engine. */
  readonly layers: readonly Layer[] | undefined;
  /** Files of a volume that every container sees at `/mounted`. */
  readonly mounted?: Layer;
  readonly tools: readonly Tool[];
  /** About how many seconds a subject takes on a machine of two processors until it is made and has had four turns. */
  readonly weight: number;
  /** Bytes that a container writes anew, and bytes of the image that it changes. */
  readonly writes: number;
  readonly copiesUp: number;
  /** Containers that are there at once. */
  readonly containers: number;
  /** Bytes that work without an engine keeps in layers. */
  readonly kept?: number;
}

/** What a run is about. */
export interface Selection {
  readonly extent: Extent;
  /** Sizes of large files in place of the extent's. */
  readonly sizes?: readonly number[] | undefined;
  /** Groups, workloads or beginnings of their names; all when empty. */
  readonly workloads: readonly string[];
}

/** Groups that a quick answer does without: each takes longer than there is time for. */
const SLOW_GROUPS: ReadonlySet<string> = new Set(['churn', 'density']);

/** Workloads that it does without, because others tell the drivers apart as well: four turns of the rest are worth more. */
const SPARED: ReadonlySet<string> = new Set([
  ...['large.read.seq.warm', 'large.read.seq.direct', 'large.read.rand.warm'],
  ...['large.write.seq.direct', 'large.write.rand.buffered'],
  ...['parallel.read-big-files', 'parallel.read-small-files'],
  ...['parallel.read-file-tree', 'parallel.read-file-tree-mounted'],
]);

/** Whether a workload is asked for: by its group, its name, or the beginning of its name up to a dot. */
export function isChosen(
  { id, group }: Pick<CatalogueEntry, 'id' | 'group'>,
  wanted: readonly string[],
): boolean {
  if (wanted.length === 0) return true;
  return wanted.some((name) => name === group || name === id || id.startsWith(`${name}.`));
}

/** The workloads that are asked for: all of them, but for those that a quick answer does without unless they are named. */
export function chosenWorkloads({
  extent,
  workloads,
}: Pick<Selection, 'workloads'> & Partial<Pick<Selection, 'extent'>>): readonly CatalogueEntry[] {
  const isSpared = ({ id, group }: CatalogueEntry): boolean =>
    extent === 'quick' && workloads.length === 0 && (SLOW_GROUPS.has(group) || SPARED.has(id));
  return CATALOGUE.filter((entry) => isChosen(entry, workloads) && !isSpared(entry));
}

/** The blocks of a run, in the order in which they are measured: what takes least comes first, so that as much as can be is known when the time is over. */
export function blocksOf(selection: Selection): readonly Block[] {
  const ids = new Set(chosenWorkloads(selection).map(({ id }) => id));
  const isWanted = ({ workload }: SeriesName): boolean => ids.has(workload);
  return allBlocks(selection)
    .map((block) => ({ ...block, jobs: block.jobs.filter(({ series }) => series.some(isWanted)) }))
    .filter(({ jobs }) => jobs.length > 0)
    .sort((a, b) => a.weight - b.weight);
}

const PLAIN = { tools: [], weight: 2, writes: 64 * MIB, copiesUp: 0, containers: 1 } as const;

function allBlocks({ extent, sizes: given }: Selection): Block[] {
  const isQuick = extent === 'quick';
  const scale = (name: ScaleName): readonly number[] => SCALES[name][extent];
  const sizes = given ?? scale('size');
  const largest = Math.max(...sizes);
  const lowers = scale('lower').filter((size) => given === undefined || size <= largest);
  const depths = scale('depth');
  const few = scale('containers').filter((count) => count <= 10);
  const trees = extent === 'full' ? PARALLEL_ALL : PARALLEL_PART;
  const bytesOf = (layers: readonly Layer[]): number =>
    layers.flat().reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0);
  return [
    {
      ...PLAIN,
      id: 'harness',
      title: 'the harness itself',
      jobs: [harnessJob],
      layers: [littleLayer()],
      weight: 2,
    },
    ...lowers.map((lower): Block => {
      const copies = lowerCopies(lower, depths, isQuick);
      const layers = lowerFiles(lower, depths, copies);
      return {
        ...PLAIN,
        id: `copy-up-${lower}`,
        title: `first changes of files of ${sizeText(lower)}`,
        jobs: [copyUpJob(lower, depths, copies)],
        layers,
        weight: copyUpWeight(lower, depths.length, copies),
        copiesUp: bytesOf(layers),
      };
    }),
    ...scale('bytes').flatMap((bytes) =>
      scale('count').map(
        (count): Block => ({
          ...PLAIN,
          id: `small-${bytes}-${count}`,
          title: `${count} files of ${sizeText(bytes)}`,
          jobs: [smallFilesJob(bytes, count, smallSets(count, isQuick))],
          layers: [smallFiles(count, bytes, smallSets(count, isQuick))],
          weight: 3 + smallSets(count, isQuick) * count * (0.002 + bytes / (20 * MIB)),
          writes: smallSets(count, isQuick) * count * Math.max(bytes, 4096),
        }),
      ),
    ),
    {
      ...PLAIN,
      id: 'source-tree',
      title: 'a source tree',
      jobs: [sourceTreeJob],
      layers: [[...sourceTreeBelowBench()]],
      tools: ['tar'],
      weight: 6,
    },
    ...sizes.map(
      (size): Block => ({
        ...PLAIN,
        id: `large-${size}`,
        title: `files of ${sizeText(size)}`,
        jobs: [largeFilesJob(size)],
        layers: [largeFile(size)],
        tools: ['fio'],
        weight: (isQuick ? 12 : 48) + size / (20 * MIB),
        writes: 2 * size,
      }),
    ),
    {
      ...PLAIN,
      id: 'database',
      title: 'databases',
      jobs: [databaseJob],
      layers: [littleLayer()],
      tools: ['fio', 'sqlite3'],
      weight: 6,
      writes: 128 * MIB,
    },
    ...scale('layers').map(
      (layers): Block => ({
        ...PLAIN,
        id: `layers-${layers}`,
        title: `${layers} layers, in process`,
        jobs: [layersJob(layers)],
        layers: undefined,
        weight: 1 + 0.02 * layers,
        kept: layers * MIB,
      }),
    ),
    // Docker takes no image of more than 125 layers. One of them is what every image begins with.
    ...scale('layers')
      .map((layers) => Math.min(layers, 125))
      .filter((layers, index, all) => all.indexOf(layers) === index)
      .map(
        (layers): Block => ({
          ...PLAIN,
          id: `start-${layers}`,
          title: `starting containers over ${layers} layers`,
          jobs: [startJob(layers)],
          layers: littleLayers(layers - 1),
          weight: (isQuick ? 1.5 : 3) + 0.02 * layers,
        }),
      ),
    ...scale('files').map(
      (files): Block => ({
        ...PLAIN,
        id: `files-${files}`,
        title: `layers of ${files} files, in process`,
        jobs: [filesJob(files)],
        layers: undefined,
        weight: 1 + files / 500,
        kept: 3 * files * 8192,
      }),
    ),
    {
      ...PLAIN,
      id: 'build',
      title: 'a build',
      jobs: [buildJob],
      layers: undefined,
      weight: 6,
      kept: 128 * MIB,
    },
    // vfs has no room for very many, and must not be left out of the others for that.
    ...[few, scale('containers').filter((count) => !few.includes(count))]
      .filter((counts) => counts.length > 0)
      .map(
        (counts): Block => ({
          ...PLAIN,
          id: counts === few ? 'density' : 'density-many',
          title: counts === few ? 'several containers at once' : 'very many containers at once',
          jobs: counts.map(densityJob),
          layers: [largeFile(256 * MIB)],
          writes: MIB,
          containers: Math.max(...counts),
          weight: 4 + counts.reduce((sum, count) => sum + 2 * count + 3, 0),
        }),
      ),
    {
      ...PLAIN,
      id: 'fragments',
      title: 'random overwrites',
      jobs: [fragmentsJob],
      layers: [littleLayer()],
      tools: ['filefrag'],
      weight: 24,
      writes: 768 * MIB,
    },
    {
      ...PLAIN,
      id: 'churn',
      title: 'containers that come and go',
      jobs: [churnJob],
      layers: [littleLayer()],
      weight: 120,
    },
    {
      ...PLAIN,
      id: 'parallel',
      title: 'many at once in one container',
      jobs: scale('parallel').map(parallelJob),
      layers: [parallelTrees(trees)],
      mounted: binaryTree('tree-of-files', trees.treeDepth),
      copiesUp: bytesOf([parallelTrees(trees)]),
      weight: scale('parallel').reduce(
        (sum, count) => sum + 3 + (trees === PARALLEL_ALL ? 6 : 0.5) * count,
        0,
      ),
    },
  ];
}

/** Changes of so many files at so many depths: each takes a while for caches to be dropped, and for the file to be copied. */
function copyUpWeight(lower: number, depths: number, copies: number): number {
  const containers = copies < 4 ? 4 : 1;
  const changes = depths * (copies < 4 ? 4 : 4 * Math.floor(copies / 4));
  const image = depths * copies * lower;
  return 1 + image / (200 * MIB) + 4 * (0.5 * containers + changes * (0.05 + lower / (500 * MIB)));
}

function littleLayer(): Layer {
  return littleLayers(1)[0] ?? [];
}

function sourceTreeBelowBench(): Layer {
  return [{ kind: 'directory', path: 'bench' }, ...sourceTree('bench/tree')];
}

/** `64 MiB`. */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
