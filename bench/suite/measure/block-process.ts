/**
 * One block, in a process that has a mount namespace and a pid namespace to itself: makes the stores, loads the image, and
 * repeats the jobs in random order until each series is precise or the time is over. Whatever goes wrong with a subject or a job
 * is told, and the rest goes on.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import * as z from 'zod/mini';
import { DRIVER_NAMES } from '../../../src/drivers/registry.ts';
import { errorMessage } from '../../../src/errors.ts';
import { runTool } from '../../../src/lab/matrix/tool.ts';
import { once } from '../../../src/once.ts';
import { EXTENTS } from '../catalogue.ts';
import { randomFrom } from '../random.ts';
import { SUBJECT_KINDS } from '../schema.ts';
import { median } from '../statistics.ts';
import { makeFilesystemStore } from '../stores/filesystem.ts';
import { STORE_KINDS } from '../stores/store.ts';
import { type Block, blocksOf, chosenWorkloads } from './blocks.ts';
import type { BenchEvent } from './events.ts';
import type { ImagePlan } from './images.ts';
import { closeDriver } from './jobs/in-process.ts';
import type { Job, SeriesName } from './jobs/job.ts';
import { noTime } from './no-time.ts';
import { type Pair, repeatPairs } from './repeat.ts';
import { openRig, type Rig, writeArchives } from './rig.ts';
import { keepRoom, leftOut, turnNeed } from './room.ts';
import { seriesKey } from './series-key.ts';
import { isNative, VARIANTS } from './subjects.ts';
import { openTools, TOOLS, type Tools } from './tools.ts';
import { imageOf } from './trees.ts';

const subjectSchema = once(() =>
  z.object({
    id: z.string(),
    kind: z.enum(SUBJECT_KINDS),
    engine: z.enum(['tsengine', 'docker', 'podman']),
    driver: z.nullable(z.enum(DRIVER_NAMES)),
    store: z.enum(STORE_KINDS),
    baseline: z.nullable(z.string()),
    machine: z.string(),
    variant: z.exactOptional(z.enum(VARIANTS)),
  }),
);

/** The schema of what the process is told, as JSON. */
export const blockRequestSchema = once(() =>
  z.object({
    block: z.string(),
    extent: z.enum(EXTENTS),
    sizes: z.optional(z.array(z.int())),
    workloads: z.array(z.string()),
    subjects: z.array(subjectSchema()),
    /** The folder whose disk is measured. */
    images: z.string(),
    /** The volume of programs for containers. */
    tools: z.string(),
    /** Bytes of each store. */
    size: z.int(),
    owner: z.int(),
    seed: z.int(),
    /** Turns of each series below which nothing can be said of it. */
    least: z.int(),
    /** Milliseconds from the start: what the block may take beyond the least number of turns, and what it may take at all. */
    softMs: z.number(),
    hardMs: z.number(),
    /** Values that series have already, by their keys. */
    known: z.record(z.string(), z.array(z.number())),
    /** Jobs that are not to be tried again, as `SUBJECT JOB`. */
    givenUp: z.array(z.string()),
    /** What the samples' times begin at. */
    at: z.number(),
  }),
);

/** See `blockRequestSchema`. */
export type BlockRequest = z.infer<ReturnType<typeof blockRequestSchema>>;

/** Where a block works: a path without blanks, colons and commas, which drivers, overlayfs and engines take apart. */
const WORK = '/run/tsengine-bench';

/** How precise is precise: within 5 % on either side. */
const PRECISION = 0.05;
/** With this many turns of each series another one is the better use of the time. */
const ENOUGH_TURNS = { quick: 10, usual: 40, full: 100 } as const;

/** Seconds that one job of fio may take. */
const FIO_SECONDS = { quick: 0.25, usual: 3, full: 6 } as const;

/** Does what the request asks for and writes what happens. */
export async function runBlock(request: BlockRequest, write: (event: BenchEvent) => void): Promise<void> {
  const started = performance.now();
  const block = blocksOf(request).find(({ id }) => id === request.block);
  if (block === undefined) throw new Error(`there is no block ${request.block}`);
  mkdirSync(WORK, { recursive: true });
  runTool('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', WORK], 'mount');
  const tools = openTools(request.tools);
  using _ = keepPrograms(tools);
  await using rigs = await openRigs(block, request, tools, { started, write });
  const isWhole = await repeat(block, rigs.list, request, { started, write });
  write({ event: 'done', block: block.id, machine: request.subjects[0]?.machine ?? 'host', isWhole });
}

/**
 * Has the program that containers run stay in memory: it does not go with the caches while somebody runs it, and containers
 * would read it from the disk that is measured.
 */
function keepPrograms({ folder, command, environment }: Tools): Disposable {
  const [node = '', main = ''] = command.map((word) => word.replace(TOOLS, folder));
  const library = environment.find((line) => line.startsWith('LD_LIBRARY_PATH='))?.replace(TOOLS, folder);
  const [, path] = library?.split('=') ?? [];
  const child = spawn(node, [main], {
    env: path === undefined ? {} : { LD_LIBRARY_PATH: path },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => undefined);
  return { [Symbol.dispose]: () => child.kill('SIGKILL') };
}

/** When the block began, and where to tell of it. */
interface Run {
  readonly started: number;
  write(event: BenchEvent): void;
}

interface OpenRigs extends AsyncDisposable {
  readonly list: readonly Rig[];
}

async function openRigs(
  block: Block,
  request: BlockRequest,
  tools: Tools,
  { started, write }: Run,
): Promise<OpenRigs> {
  const { images, size, owner } = request;
  const image: ImagePlan | undefined =
    block.layers === undefined ? undefined : imageOf(block.id, tools.base, block.layers);
  const machine = request.subjects[0]?.machine ?? 'host';
  const tell = (versions: Readonly<Record<string, string>>): void => {
    for (const [name, version] of Object.entries(versions))
      write({ event: 'version', machine, name, version });
  };
  tell(tools.versions);
  const closing = new AsyncDisposableStack();
  const list: Rig[] = [];
  try {
    mkdirSync(`${WORK}/scratch`);
    // Archives lie on a store as well: they are gone with this process.
    const scratch = makeFilesystemStore('ext4', {
      images,
      owner,
      size: size + 2 ** 30,
      work: `${WORK}/scratch`,
    });
    const archives = await writeArchives(image, tools, scratch.path);
    for (const [index, plan] of request.subjects.entries()) {
      const fail = (reason: string): void =>
        write({ event: 'failed', block: block.id, subject: plan.id, job: null, reason });
      // What is asked for may be larger than the time for it.
      const isLate = performance.now() - started > request.hardMs;
      const why = isLate ? noTime(0, request.least) : leftOut(block, plan);
      if (why !== undefined) {
        fail(why);
        continue;
      }
      try {
        const rig = await openRig(plan, {
          ...{ images, size, owner, tools, image, mounted: block.mounted, work: `${WORK}/${index}` },
          ...archives,
        });
        list.push(rig);
        closing.use(rig);
        closing.defer(() => closeDriver(rig));
        write({ event: 'subject', subject: subjectOf(rig, size) });
        tell(rig.store.versions);
        if (image !== undefined) tell({ [plan.engine]: rig.engine().version });
      } catch (error) {
        fail(errorMessage(error));
      }
    }
    await scratch[Symbol.asyncDispose]();
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
  return { list, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

function subjectOf({ plan, store }: Rig, size: number): Extract<BenchEvent, { event: 'subject' }>['subject'] {
  const { id, kind, machine, engine, driver, baseline } = plan;
  return {
    ...{ id, kind, machine, engine, driver, baseline, size },
    backing: plan.store === 'zpool' ? 'zfs' : plan.store,
    standIn: driver === 'aufs' && !isNative('aufs') ? 'fuse-overlayfs' : store.standIn,
    mkfs: store.mkfs,
    mountOptions: store.mountOptions,
    // The devices are other ones each time.
    storageOptions: store.storageOptions.filter((option) => !option.includes('/dev/')),
    failed: null,
  };
}

/** Runs all jobs of all subjects until they need no more. Gives whether all of them came to that, and not the time to its end. */
async function repeat(
  block: Block,
  rigs: readonly Rig[],
  request: BlockRequest,
  { started, write }: Run,
): Promise<boolean> {
  const wanted = new Set(chosenWorkloads(request).map(({ id }) => id));
  const since = (): number => performance.now() - started;
  let time = 0;
  const pairOf = (rig: Rig, job: Job): Pair => {
    const of = { block: block.id, subject: rig.plan.id };
    const isMeant = (series: SeriesName): boolean =>
      wanted.has(series.workload) && (job.means?.(rig, series) ?? true);
    return {
      subject: rig.plan.id,
      job: job.id,
      series: job.series.filter(isMeant).map((series) => seriesKey(rig.plan.id, series)),
      least: Math.max(request.least, job.least ?? 0),
      run: async () => {
        write({ event: 'begins', ...of, job: job.id });
        await keepRoom(rigs, request.images, turnNeed(block, rig.plan), (text) =>
          write({ event: 'note', text }),
        );
        const turn = Math.round(request.at + since());
        const found = await job.run(rig, {
          ...{ fioSeconds: FIO_SECONDS[request.extent], isQuick: request.extent === 'quick', time: time++ },
          wants: (workload) => wanted.has(workload),
        });
        const values = new Map<string, number[]>();
        for (const { workload, point, reading } of found) {
          if (!isMeant({ workload, point })) continue;
          const key = seriesKey(rig.plan.id, { workload, point });
          values.set(key, [...(values.get(key) ?? []), reading.value]);
          const at = Math.round(request.at + since());
          write({ event: 'sample', ...of, workload, point, sample: { ...reading, at, turn } });
        }
        // The samples of one turn hang together, and the report counts them once.
        return new Map([...values].map(([key, list]) => [key, median(list)]));
      },
    };
  };
  const fail = ({ subject, job }: Pair, reason: string): void =>
    write({ event: 'failed', block: block.id, subject, job, reason });
  return await repeatPairs(
    rigs.flatMap((rig) => block.jobs.map((job) => pairOf(rig, job))),
    {
      ...{ softMs: request.softMs, hardMs: request.hardMs },
      ...{ enough: ENOUGH_TURNS[request.extent], precision: PRECISION },
    },
    {
      ...{ known: request.known, givenUp: request.givenUp, random: randomFrom(request.seed), since },
      failed: (pair, error) => fail(pair, errorMessage(error)),
      lacking: (pair, turns) => fail(pair, noTime(turns, pair.least)),
    },
  );
}
