/**
 * All that the suite measures: the workloads by their ids, and the scales on which each is measured. Who measures and who
 * reports know each other by these ids alone.
 */
import type { Group, Unit, Workload } from './schema.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** How much of it: an answer in five minutes, what is usual, everything. */
export const EXTENTS = ['quick', 'usual', 'full'] as const;

/** See `EXTENTS`. */
export type Extent = (typeof EXTENTS)[number];

/** Values of one scale, by how much is measured. */
type Scale = Readonly<Record<Extent, readonly number[]>>;

/** The scales by their names, as points of series have them. */
export const SCALES = {
  /** Bytes of a large file. */
  size: {
    quick: [64 * MIB],
    usual: [64 * MIB, 256 * MIB, 512 * MIB, GIB, 2 * GIB],
    full: [MIB, 16 * MIB, 64 * MIB, 256 * MIB, 512 * MIB, GIB, 2 * GIB, 4 * GIB],
  },
  /** Bytes of each small file. */
  bytes: { quick: [4 * KIB], usual: [KIB, 4 * KIB, 64 * KIB], full: [KIB, 4 * KIB, 64 * KIB] },
  /** Small files. */
  count: { quick: [1000], usual: [1000, 10_000], full: [1000, 10_000, 100_000] },
  /** Bytes of a file of the image that is copied up. */
  lower: {
    quick: [4 * KIB, 64 * MIB],
    usual: [4 * KIB, MIB, 64 * MIB, 512 * MIB],
    full: [4 * KIB, MIB, 64 * MIB, 512 * MIB, 2 * GIB],
  },
  /** How many layers below the top the file is. */
  depth: { quick: [1], usual: [1, 10, 50, 100], full: [1, 10, 50, 100] },
  /** Layers of an image. */
  layers: { quick: [10], usual: [1, 50, 125], full: [1, 10, 50, 125, 250, 500] },
  /** Files of a layer. */
  files: { quick: [1000], usual: [1000, 10_000], full: [1000, 10_000, 100_000] },
  /** Containers that run at once. */
  containers: { quick: [1, 10], usual: [1, 10, 100], full: [1, 10, 100] },
  /** Processes at work at once in one container. */
  parallel: { quick: [10], usual: [1, 5, 10, 50, 100], full: [1, 5, 10, 50, 100] },
} as const satisfies Readonly<Record<string, Scale>>;

/** See `SCALES`. */
export type ScaleName = keyof typeof SCALES;

/** A workload, and the scales that its points are of. */
export interface CatalogueEntry extends Workload {
  readonly scales: readonly ScaleName[];
}

type Row = readonly [id: string, title: string, unit: Unit, better?: 'less' | 'more'];

function entries(group: Group, scales: readonly ScaleName[], rows: readonly Row[]): CatalogueEntry[] {
  return rows.map(([id, title, unit, better]) => ({
    id,
    group,
    title,
    unit,
    better: better ?? (unit === 'bytes/s' || unit === 'ops/s' ? 'more' : 'less'),
    scales,
  }));
}

/** Everything, in the order of the report. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  ...entries(
    'large-files',
    ['size'],
    [
      ['large.read.seq.cold', 'sequential read of a file of the image, nothing cached', 'bytes/s'],
      ['large.read.seq.warm', 'sequential read of a file of the image, cached', 'bytes/s'],
      ['large.read.seq.direct', 'sequential read of a file of the image with O_DIRECT', 'bytes/s'],
      ['large.read.rand.cold', 'random reads of 4 KiB of a file of the image, nothing cached', 'ops/s'],
      ['large.read.rand.warm', 'random reads of 4 KiB of a file of the image, cached', 'ops/s'],
      ['large.read.rand.direct', 'random reads of 4 KiB of a file of the image with O_DIRECT', 'ops/s'],
      ['large.write.seq.buffered', 'sequential write of a new file, without fsync', 'bytes/s'],
      ['large.write.seq.fsync', 'sequential write of a new file, fsync at the end', 'bytes/s'],
      ['large.write.seq.direct', 'sequential write of a new file with O_DIRECT', 'bytes/s'],
      [
        'large.write.rand.buffered',
        'random writes of 4 KiB into a file of the container, without fsync',
        'ops/s',
      ],
      [
        'large.write.rand.fsync',
        'random writes of 4 KiB into a file of the container, fsync at the end',
        'ops/s',
      ],
      [
        'large.write.rand.direct',
        'random writes of 4 KiB into a file of the container with O_DIRECT',
        'ops/s',
      ],
    ],
  ),
  ...entries(
    'small-files',
    ['bytes', 'count'],
    [
      ['small.create', 'making small files in many directories', 'ops/s'],
      ['small.read.cold', 'reading small files of the image, nothing cached', 'ops/s'],
      ['small.read.warm', 'reading small files of the image, cached', 'ops/s'],
      ['small.stat', 'stat of small files of the image', 'ops/s'],
      ['small.list', 'listing the directories of small files of the image', 'ops/s'],
      ['small.rename', 'renaming small files of the container', 'ops/s'],
      ['small.remove', 'removing small files of the image', 'ops/s'],
    ],
  ),
  ...entries(
    'small-files',
    [],
    [
      ['small.untar', 'unpacking the archive of a source tree', 'ms'],
      ['small.walk', 'a walk over a source tree as git status does it', 'ms'],
    ],
  ),
  ...entries(
    'copy-up',
    ['lower', 'depth'],
    [
      ['copy-up.byte.latency', 'first write of one byte to a file of the image', 'ms'],
      ['copy-up.byte.written', 'bytes written to disk by the first write of one byte', 'bytes'],
      ['copy-up.byte.space', 'space used by the first write of one byte', 'bytes'],
      ['copy-up.page.latency', 'first write of 4 KiB to a file of the image', 'ms'],
      ['copy-up.page.written', 'bytes written to disk by the first write of 4 KiB', 'bytes'],
      ['copy-up.page.space', 'space used by the first write of 4 KiB', 'bytes'],
      ['copy-up.chmod.latency', 'first chmod of a file of the image', 'ms'],
      ['copy-up.chmod.written', 'bytes written to disk by the first chmod', 'bytes'],
      ['copy-up.chmod.space', 'space used by the first chmod', 'bytes'],
      ['copy-up.chown.latency', 'first chown of a file of the image', 'ms'],
      ['copy-up.chown.written', 'bytes written to disk by the first chown', 'bytes'],
      ['copy-up.chown.space', 'space used by the first chown', 'bytes'],
      ['copy-up.second.latency', 'second write of one byte to the same file', 'ms'],
    ],
  ),
  ...entries(
    'layers',
    ['layers'],
    [
      ['layers.create', 'create of a layer over so many, in process', 'ms'],
      ['layers.get', 'get of a layer over so many, in process', 'ms'],
      ['layers.put', 'put of a layer over so many, in process', 'ms'],
      ['layers.remove', 'remove of a layer over so many, in process', 'ms'],
      ['layers.apply.deep', 'applying the tar of a layer of 100 files over so many, in process', 'ms'],
      ['layers.diff.deep', 'the tar of 100 changes over so many, in process', 'ms'],
      ['layers.changes.deep', 'the list of 100 changes over so many, in process', 'ms'],
      ['layers.start', 'run of a container that does nothing, over so many layers', 'ms'],
    ],
  ),
  ...entries(
    'layers',
    ['files'],
    [
      ['layers.apply', 'applying the tar of a layer of so many files, in process', 'ms'],
      ['layers.diff', 'the tar of 100 changes over so many files, in process', 'ms'],
      ['layers.changes', 'the list of 100 changes over so many files, in process', 'ms'],
      ['layers.create.tree', 'create of a layer over a tree of so many files, in process', 'ms'],
      ['layers.get.tree', 'get of a layer over a tree of so many files, in process', 'ms'],
      ['layers.put.tree', 'put of a layer over a tree of so many files, in process', 'ms'],
      ['layers.remove.tree', 'remove of a layer over a tree of so many files, in process', 'ms'],
    ],
  ),
  ...entries(
    'layers',
    [],
    [['layers.build', '50 small layers made one on the other, as a build does it', 'ms']],
  ),
  ...entries(
    'density',
    ['containers'],
    [
      ['density.page-cache', 'page cache used while so many containers read the same 256 MiB', 'bytes'],
      [
        'density.resident',
        'bytes of the 256 MiB in the page cache as each container sees them, together (mincore)',
        'bytes',
      ],
      [
        'density.distinct',
        'the same, with what containers share counted once (smaps): copies in the page cache',
        'bytes',
      ],
      ['density.time', 'time until so many containers have read the same 256 MiB', 'ms'],
      ['density.memory', 'memory for each idle container', 'bytes'],
      ['density.disk', 'disk space for each idle container', 'bytes'],
    ],
  ),
  ...entries(
    'churn',
    [],
    [
      ['churn.space', 'space that does not come back after 200 containers came, wrote and went', 'bytes'],
      ['churn.fragments', 'extents of a file of 256 MiB after random overwrites', 'count'],
      ['churn.read.before', 'sequential read of a file of the container as it was written', 'bytes/s'],
      ['churn.read.after', 'sequential read of it after random overwrites', 'bytes/s'],
    ],
  ),
  ...entries(
    'parallel',
    ['parallel'],
    [
      ['parallel.append-to-big-files', 'append to big files of the image', 'ops/s'],
      ['parallel.append-to-small-files', 'append to small files of the image', 'ops/s'],
      ['parallel.append-to-file-tree', 'append to the files of a deep tree of the image', 'ops/s'],
      ['parallel.read-big-files', 'read of big files of the image', 'ops/s'],
      ['parallel.read-small-files', 'read of small files of the image', 'ops/s'],
      ['parallel.read-file-tree', 'read of the files of a deep tree of the image', 'ops/s'],
      ['parallel.read-file-tree-mounted', 'read of the files of a deep tree on a volume', 'ops/s'],
    ],
  ),
  ...entries(
    'database',
    [],
    [
      ['database.write-fsync', 'random writes of 4 KiB, fsync after each', 'ops/s'],
      ['database.sqlite', 'SQLite transactions of one insert, the file in the container', 'ops/s'],
    ],
  ),
  ...entries(
    'harness',
    [],
    [
      ['harness.run', 'a container of the suite that measures nothing', 'ms'],
      ['harness.call', 'one stat of the root directory by the program in the container', 'ms'],
    ],
  ),
];
