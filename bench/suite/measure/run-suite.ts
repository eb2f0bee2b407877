/** A whole run of the suite: what it is to be, whether there is room, measuring, and what is written of it. */
import { resolve } from 'node:path';
import type { DriverName } from '../../../src/drivers/driver.ts';
import { DRIVER_NAMES } from '../../../src/drivers/registry.ts';
import { findProgram } from '../../../src/engine/runtime/programs.ts';
import { errorMessage, TsengineError } from '../../../src/errors.ts';
import { programRoot } from '../../../src/lab/place.ts';
import { qemuProgram } from '../../../src/lab/qemu.ts';
import { makeDirectories } from '../../../src/linux/files.ts';
import { writeResult } from '../result-file.ts';
import type { Result } from '../schema.ts';
import { median } from '../statistics.ts';
import { hasThinPools } from '../stores/thin-pool.ts';
import { hasZfsModule } from '../stores/zpool.ts';
import { type BenchLog, openBenchLog } from './bench-log.ts';
import { type Block, blocksOf, type Selection } from './blocks.ts';
import { mustHaveDocker } from './docker-engine.ts';
import type { BenchEvent } from './events.ts';
import { runInLab } from './in-lab.ts';
import { describeMachine } from './machine.ts';
import { isNoTime } from './no-time.ts';
import { mustHavePodman } from './podman-engine.ts';
import { resultOf } from './result.ts';
import { blockNeed, mustHaveRoom, runNeed } from './room.ts';
import { type Known, runBlocks } from './run-blocks.ts';
import { seriesKey } from './series-key.ts';
import { isNative, LAB_KERNEL, planSubjects, type SubjectPlan } from './subjects.ts';
import { benchCache, mustHaveTools, prepareTools, type Tool } from './tools.ts';

/** What is asked for. */
export interface SuiteRequest {
  readonly selection: Selection;
  /** All that make sense here when not given. */
  readonly drivers: readonly DriverName[] | undefined;
  readonly peers: readonly ('docker' | 'podman')[];
  /** See `SubjectRequest`. */
  readonly isSelfTest: boolean;
  readonly budgetMs: number;
  /** Where results go. */
  readonly out: string;
  /** A folder on the disk that is measured. */
  readonly on: string;
  readonly seed: number;
  /** Whether what an unfinished run left is thrown away. */
  readonly fresh: boolean;
  /** The command that is on record as what measures the same again. */
  readonly command: string;
  readonly signal: AbortSignal | undefined;
  /** Writes what people read of a result into a folder, and gives the paths. */
  writeReport(result: Result, folder: string): Promise<readonly string[]>;
}

/** Turns of each series from which on an interval of 95 % can be had of a ratio, and of the ratio of two ratios, which drivers of two machines are compared by. */
const [LEAST, LEAST_ACROSS] = [4, 5];

/** Told while it goes on. */
export interface SuiteListener {
  /** What is measured now, and which share of the time is over. */
  at(text: string, done: number): void;
  /** Something is worth knowing, and stays so. */
  note(line: string): void;
}

/** What came of it. */
export interface SuiteEnd {
  readonly result: Result;
  /** The files that were written. */
  readonly files: readonly string[];
}

/** Runs it. What is done when it is interrupted is written all the same, and the same command goes on from there. */
export async function runSuite(request: SuiteRequest, listener: SuiteListener): Promise<SuiteEnd> {
  if (process.geteuid?.() !== 0)
    throw new TsengineError(
      'Forbidden',
      'the benchmark makes filesystems and runs containers: run it as root',
    );
  const on = resolve(request.on);
  const subjects = await subjectsOf(request);
  mustHaveTools(toolsOf(blocksOf(request.selection)));
  makeDirectories(on);
  const { selection } = request;
  const blocks = fitting(request, subjects, on, listener);
  const tools = toolsOf(blocks);
  tellLeftOut(request, subjects, listener);
  const started = new Date().toISOString();
  const conditions = JSON.stringify([selection, subjects.map(({ id }) => id), request.seed, on]);
  using log = openBenchLog(request.out, { conditions, command: request.command, started }, request.fresh);
  const run: Run = {
    ...{ request, listener, log, on, selection, blocks, subjects, tools },
    events: [...log.known],
    begun: performance.now(),
  };
  const interrupted = await measure(run);
  return await write(run, { started, interrupted });
}

/** Says which drivers a quick answer is without: those that this kernel lacks take longer. */
function tellLeftOut(
  { drivers }: SuiteRequest,
  subjects: readonly SubjectPlan[],
  { note }: SuiteListener,
): void {
  if (drivers !== undefined) return;
  const left = DRIVER_NAMES.filter((name) => !subjects.some(({ driver }) => driver === name));
  if (left.length > 0)
    note(
      `left out, because this kernel lacks them: ${left.join(', ')} (--drivers names them, and a run without --quick has all)`,
    );
}

function toolsOf(blocks: readonly Block[]): readonly Tool[] {
  return [...new Set(blocks.flatMap((block) => block.tools))];
}

interface Run {
  readonly request: SuiteRequest;
  readonly listener: SuiteListener;
  readonly log: BenchLog;
  readonly on: string;
  readonly selection: Selection;
  readonly blocks: readonly Block[];
  readonly subjects: readonly SubjectPlan[];
  readonly tools: readonly Tool[];
  readonly events: BenchEvent[];
  readonly begun: number;
}

async function subjectsOf({
  drivers,
  peers,
  isSelfTest,
  selection,
}: SuiteRequest): Promise<readonly SubjectPlan[]> {
  if (peers.includes('docker')) await mustHaveDocker();
  if (peers.includes('podman')) mustHavePodman();
  const isQuick = selection.extent === 'quick';
  const native = (driver: DriverName): boolean => {
    if (driver === 'zfs') hasZfsModule();
    if (driver === 'devicemapper') hasThinPools();
    return isNative(driver);
  };
  return planSubjects({
    drivers: drivers ?? DRIVER_NAMES.filter((name) => !isQuick || native(name)),
    ...{ peers, isSelfTest, isQuick },
    // No kernel of the lab has aufs, and what stands in for it runs here. So does what stands in for zfs, where there are no machines.
    machineOf: (driver) =>
      native(driver) || driver === 'aufs' || (driver === 'zfs' && !hasMachines()) ? 'host' : LAB_KERNEL,
  });
}

/** Whether virtual machines can be started at all. */
function hasMachines(): boolean {
  return findProgram(qemuProgram()) !== undefined;
}

/**
 * The blocks that there is room for. What nobody asked for by itself is left out where it does not fit; a size that somebody did is an
 * error, and so is it when nothing is left.
 */
function fitting(
  { selection }: SuiteRequest,
  subjects: readonly SubjectPlan[],
  on: string,
  { note }: SuiteListener,
): readonly Block[] {
  const all = blocksOf(selection);
  if (all.length === 0)
    throw new TsengineError(
      'InvalidParameter',
      `no workload is called ${selection.workloads.join(' or ')}: see tsengine bench list`,
    );
  const here = subjects.filter(({ machine }) => machine === 'host');
  if (selection.sizes !== undefined) mustHaveRoom(runNeed(all, here), on);
  const blocks = all.filter((block) => {
    try {
      mustHaveRoom(blockNeed(block, here), on);
      return true;
    } catch (error) {
      note(`${block.title}: left out, ${errorMessage(error)}`);
      return false;
    }
  });
  if (blocks.length === 0) mustHaveRoom(Math.min(...all.map((block) => blockNeed(block, here))), on);
  return blocks;
}

/** Measures here, and then in the lab. Gives whether it was interrupted. */
async function measure(run: Run): Promise<boolean> {
  const { request, listener, log, events, subjects } = run;
  const late = new Set<string>();
  const emit = (event: BenchEvent): void => {
    if (event.event === 'begins') listener.at(`${event.subject} ${event.job}`, share(run));
    if (event.event === 'note') listener.note(event.text);
    if (event.event === 'failed' && isNoTime(event.reason)) {
      // Of all jobs of all subjects it would fill the screen; the report has each.
      if (!late.has(event.block)) listener.note(`${event.block}: ${event.reason}`);
      late.add(event.block);
    } else if (event.event === 'failed')
      listener.note(`${event.subject} ${event.job ?? event.block}: ${event.reason}`);
    events.push(event);
    log.add(event);
  };
  const known = knownOf(log.known);
  const at = log.known.reduce(
    (last, event) => (event.event === 'sample' ? Math.max(last, event.sample.at) : last),
    0,
  );
  if (at > 0) emit({ event: 'again', after: at });
  const machines = [...new Set(subjects.map(({ machine }) => machine))];
  const least = machines.length > 1 ? LEAST_ACROSS : LEAST;
  try {
    listener.at('programs for containers', 0);
    const tools = prepareTools(benchCache(programRoot), run.tools);
    for (const machine of machines) {
      const own = subjects.filter((subject) => subject.machine === machine);
      const left = subjects.filter(
        (subject) => machines.indexOf(subject.machine) >= machines.indexOf(machine),
      );
      const budgetMs = (request.budgetMs - at - (performance.now() - run.begun)) * (own.length / left.length);
      const { extent, sizes, workloads } = run.selection;
      const same = { extent, workloads: [...workloads], seed: request.seed, budgetMs, at, tools, least };
      if (machine === 'host') {
        emit({ event: 'machine', machine: describeMachine('host', run.on) });
        await runBlocks(
          run.blocks,
          { ...same, sizes, subjects: own, images: run.on, owner: process.pid },
          { ...known, done: known.doneOn(machine) },
          { signal: request.signal, emit, begins: (block) => listener.at(block.title, share(run)) },
        );
        continue;
      }
      const done = known.doneOn(machine);
      const blocks = run.blocks.map(({ id }) => id).filter((id) => !done.has(id));
      const lab = {
        ...{ ...same, subjects: [...own], blocks, id: machine },
        ...(sizes === undefined ? {} : { sizes: [...sizes] }),
        known: known.values,
        givenUp: [...known.givenUp],
      };
      try {
        const withZfs = own.some(({ store }) => store === 'zpool');
        await runInLab(machine, lab, withZfs, {
          signal: request.signal,
          emit,
          note: (line) => listener.at(`${machine}: ${line}`, share(run)),
        });
      } catch (error) {
        request.signal?.throwIfAborted();
        // What it had before it died is there, and stays.
        for (const block of blocks)
          for (const { id } of own)
            emit({ event: 'failed', block, subject: id, job: null, reason: errorMessage(error) });
      }
    }
    return false;
  } catch (error) {
    if (request.signal?.aborted !== true) throw error;
    return true;
  }
}

function share({ begun, request }: Run): number {
  return Math.min(1, (performance.now() - begun) / request.budgetMs);
}

interface KnownOfRun extends Omit<Known, 'done'> {
  doneOn(machine: string): ReadonlySet<string>;
}

/** What the log tells of an earlier beginning of the same run. */
function knownOf(events: readonly BenchEvent[]): KnownOfRun {
  // By series, and by the turn in which samples were measured together.
  const turns = new Map<string, Map<number, number[]>>();
  for (const event of events)
    if (event.event === 'sample') {
      const key = seriesKey(event.subject, event);
      const { value, at, turn = at } = event.sample;
      const own = turns.get(key) ?? new Map<number, number[]>();
      turns.set(key, own);
      own.set(turn, [...(own.get(turn) ?? []), value]);
    }
  return {
    values: Object.fromEntries([...turns].map(([key, own]) => [key, [...own.values()].map(median)])),
    // What failed is tried again: it may have been for want of room.
    givenUp: [],
    doneOn: (machine) =>
      new Set(
        events.flatMap((event) =>
          event.event === 'done' && event.isWhole && event.machine === machine ? [event.block] : [],
        ),
      ),
  };
}

async function write(
  run: Run,
  { started, interrupted }: { readonly started: string; readonly interrupted: boolean },
): Promise<SuiteEnd> {
  const { request, events, log } = run;
  const [first] = log.known;
  const before = events.reduce(
    (sum, event) => (event.event === 'again' ? Math.max(sum, event.after) : sum),
    0,
  );
  const seconds = Math.round((before + performance.now() - run.begun) / 100) / 10;
  const result = resultOf(events, run, {
    ...{ command: request.command, seed: request.seed, seconds, interrupted },
    started: first?.event === 'run' ? first.started : started,
  });
  const file = writeResult(result, resolve(request.out));
  if (!interrupted) log.finish();
  return { result, files: [file, ...(await request.writeReport(result, resolve(request.out)))] };
}
