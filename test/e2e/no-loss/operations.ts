/** The operations that are killed and made to fail, each with the root that it needs. */
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dockerArchive, makeImage, manyLayers, tarOf } from '../../helpers/images.ts';
import type { Recount } from '../../helpers/recount.ts';
import type { Given, Stage } from './stage.ts';

/** An operation. */
export interface Operation {
  readonly name: string;
  /** What is there before it. */
  readonly prepare: (stage: Stage) => Promise<unknown>;
  /** What must be there anew each time, because it runs. */
  readonly each?: (stage: Stage) => Promise<unknown>;
  readonly words: (stage: Stage) => readonly string[];
  readonly given?: (stage: Stage) => Given;
  /** It waits for others by looking again and again: its n-th call is not always the same one. */
  readonly waits?: boolean;
  /** Other processes work beside it, and it makes a few calls more or fewer as they come first or last. */
  readonly varies?: boolean;
  /** Much of what it does is clearing up, which may fail without harm. */
  readonly clearsUp?: boolean;
  /** Words of commands that lead, from what is there before, to what a kill in its middle may leave as well. */
  readonly between?: (stage: Stage) => readonly (readonly string[])[];
  /** Each line that it prints says that one more of its states has come; else whatever it prints says that all is done. */
  readonly linePerState?: boolean;
  /** Commands that lead to what is there when nothing can be written any more, and what was done cannot be undone. */
  readonly stuck?: readonly (readonly string[])[];
}

const FIRST = makeImage(manyLayers(2));
/** Shares its first layer with the first image. */
const SECOND = makeImage([...FIRST.layers.slice(0, 1), ...manyLayers(1, 'second')]);

/** A root filesystem of one program: small, so that few calls are about its files. */
export function smallRootfs(): Buffer {
  const busybox = readFileSync('/usr/bin/busybox');
  const names = ['sh', 'true', 'sleep', 'echo', 'cat', 'dd', 'rm'];
  return tarOf([
    { name: 'bin/' },
    { name: 'bin/busybox', content: busybox, mode: 0o755 },
    ...names.map((name) => ({ name: `bin/${name}`, type: 'symlink' as const, link: 'busybox' })),
    { name: 'dev/' },
    { name: 'proc/' },
    { name: 'sys/' },
    { name: 'etc/' },
  ]);
}

async function withImages(stage: Stage, ...images: readonly ('first' | 'second')[]): Promise<void> {
  writeFileSync(`${stage.base}/first.tar`, dockerArchive([{ image: FIRST, tags: ['first:1'] }]));
  writeFileSync(`${stage.base}/second.tar`, dockerArchive([{ image: SECOND, tags: ['second:1'] }]));
  await stage.ok(['info']);
  for (const name of images) await stage.ok(['load', '-i', `${stage.base}/${name}.tar`]);
}

async function withSmall(stage: Stage): Promise<void> {
  writeFileSync(`${stage.base}/small.tar`, smallRootfs());
  await stage.ok(['import', `${stage.base}/small.tar`, 'small']);
}

const LATER = ['--network', 'none', 'small', 'sleep', '1000'];

/** On images alone. */
export const IMAGE_OPERATIONS: readonly Operation[] = [
  {
    name: 'load of an image that shares a layer',
    prepare: (stage) => withImages(stage, 'first'),
    words: ({ base }) => ['load', '-i', `${base}/second.tar`],
  },
  {
    name: 'import',
    prepare: (stage) => withImages(stage),
    words: ({ base }) => ['import', `${base}/second.tar`, 'imported:1'],
  },
  {
    name: 'rmi of an image that shares a layer',
    clearsUp: true,
    prepare: (stage) => withImages(stage, 'first', 'second'),
    words: () => ['rmi', 'second:1'],
  },
  {
    name: 'tag',
    prepare: (stage) => withImages(stage, 'first'),
    words: () => ['tag', 'first:1', 'third:1'],
  },
  {
    name: 'tag that takes a name from another image',
    prepare: (stage) => withImages(stage, 'first', 'second'),
    words: () => ['tag', 'first:1', 'second:1'],
  },
];

/** A layer that a worker unpacks, because it is larger than 4 MiB: the worker has calls of its own, which are counted on their own. */
export const LARGE_LOAD: Operation = {
  name: 'load of a layer that a worker unpacks',
  prepare: async (stage) => {
    const members = Array.from({ length: 50 }, (_, index) => ({
      name: `large-${index}`,
      content: Buffer.alloc(100_000, index),
    }));
    const image = makeImage([tarOf(members)]);
    writeFileSync(`${stage.base}/large.tar`, dockerArchive([{ image, tags: ['large:1'] }]));
    await stage.ok(['info']);
  },
  words: ({ base }) => ['load', '-i', `${base}/large.tar`],
};

/** They share their first layer. */
const PAIR = {
  one: makeImage(manyLayers(2, 'pair')),
  two: makeImage([...manyLayers(1, 'pair'), ...manyLayers(1, 'other')]),
};

/** Two images with three layers in all: each image comes as a whole, with its name, and the first one may come alone. */
export const PAIR_LOAD: Operation = {
  name: 'load of two images with three layers',
  prepare: async (stage) => {
    const one = { image: PAIR.one, tags: ['pair:1'] };
    const two = { image: PAIR.two, tags: ['pair:2'] };
    writeFileSync(`${stage.base}/pair.tar`, dockerArchive([one, two]));
    writeFileSync(`${stage.base}/one-of-pair.tar`, dockerArchive([one]));
    await stage.ok(['info']);
  },
  words: ({ base }) => ['load', '-i', `${base}/pair.tar`],
  between: ({ base }) => [['load', '-i', `${base}/one-of-pair.tar`]],
  linePerState: true,
};

/** On containers that do not run. */
export const CONTAINER_OPERATIONS: readonly Operation[] = [
  {
    name: 'create with an anonymous volume',
    prepare: withSmall,
    words: () => ['create', '--name', 'one', '-v', '/anonymous', ...LATER],
  },
  {
    name: 'commit',
    prepare: async (stage) => {
      await withSmall(stage);
      await stage.ok([
        'run',
        '--name',
        'one',
        '--network',
        'none',
        'small',
        'sh',
        '-c',
        'echo changed >/added',
      ]);
    },
    words: () => ['commit', 'one', 'committed:1'],
  },
  {
    name: 'rm',
    clearsUp: true,
    prepare: async (stage) => {
      await withSmall(stage);
      await stage.ok(['run', '--name', 'one', '--network', 'none', 'small', 'true']);
      // Old enough for the next end of a container to remove it.
      const exits = `${stage.execRoot}/exits`;
      for (const name of readdirSync(exits)) utimesSync(`${exits}/${name}`, 0, 0);
    },
    words: () => ['rm', 'one'],
  },
  {
    name: 'rm -v',
    clearsUp: true,
    prepare: async (stage) => {
      await withSmall(stage);
      await stage.ok(['create', '--name', 'one', '-v', '/anonymous', ...LATER]);
    },
    words: () => ['rm', '-v', 'one'],
  },
];

/** On containers that run. */
export const RUN_OPERATIONS: readonly Operation[] = [
  {
    name: 'start',
    varies: true,
    prepare: async (stage) => {
      await withSmall(stage);
      await stage.ok(['create', '--name', 'one', ...LATER]);
    },
    words: () => ['start', 'one'],
    waits: true,
    // It was on record as running, and then could not be.
    stuck: [
      ['start', 'one'],
      ['kill', 'one'],
    ],
  },
  {
    name: 'run -d',
    varies: true,
    prepare: withSmall,
    words: () => ['run', '-d', '--name', 'one', ...LATER],
    waits: true,
    stuck: [
      ['run', '-d', '--name', 'one', ...LATER],
      ['kill', 'one'],
    ],
    between: () => [['create', '--name', 'one', ...LATER]],
  },
  {
    name: 'run --rm in the foreground',
    clearsUp: true,
    varies: true,
    prepare: withSmall,
    words: () => ['run', '--rm', '--network', 'none', 'small', 'true'],
  },
  {
    name: 'rm -f of a container that runs',
    clearsUp: true,
    varies: true,
    prepare: withSmall,
    each: (stage) => stage.ok(['run', '-d', '--name', 'one', ...LATER]),
    words: () => ['rm', '-f', 'one'],
    waits: true,
    between: () => [['kill', 'one']],
  },
];

/** The operations of which the driver does a part of its own. */
export const DRIVER_OPERATIONS: readonly Operation[] = [...IMAGE_OPERATIONS, ...CONTAINER_OPERATIONS].filter(
  ({ name }) => /^(?:load|create|commit|rm|rmi)\b/.test(name),
);

/** Freezes the container meanwhile. What it writes is what `commit` of any container does. */
export const FROZEN_COMMIT: Operation = {
  name: 'commit of a container that runs',
  prepare: withSmall,
  each: (stage) => stage.ok(['run', '-d', '--name', 'one', ...LATER]),
  words: () => ['commit', 'one', 'committed:1'],
};

/** What a root holds, without what is random: two roots that hold the same look the same. */
export function signature(counted: Recount): string {
  const imageOf = (id: string): string => counted.images.get(id)?.layers.join(' ') ?? 'none';
  const containers = [...counted.containers.values()].map((one) => ({
    name: one.name,
    image: imageOf(one.image),
    running: one.running,
    everStarted: one.everStarted,
    volumes: one.volumes.length,
  }));
  return JSON.stringify({
    tags: [...counted.tags].map(([tag, id]) => [tag, imageOf(id)]).sort(),
    images: [...counted.images.values()].map(({ tags, layers }) => [tags.join(' '), layers.join(' ')]).sort(),
    layers: [...counted.layers].sort(),
    containers: containers.sort((a, b) => (a.name < b.name ? -1 : 1)),
    volumes: counted.volumes.length,
  });
}
