/** Many processes at work on one data root at once, and the look at what they left. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeTree } from '../../../src/linux/remove-tree.ts';
import type { TestBundle } from '../../helpers/bundle.ts';
import { ownCgroup, removeCgroups } from '../../helpers/cgroups.ts';
import { atExit, unmountBelow } from '../../helpers/loop.ts';
import { type Recount, recount } from '../../helpers/recount.ts';
import { checkArchive } from './check-archive.ts';
import { command, commandLane, engineLane, type Lane, type Roots } from './lanes.ts';
import { broken } from './ledger.ts';
import { type Carried, type Ending, isExpected, type Operation } from './operation.ts';
import { type Random, randomFrom } from './random.ts';
import { processesNaming, watchdog, whatTheyDo } from './watchdog.ts';
import { type Material, makeMaterial, World } from './world.ts';

/** Nothing that one operation does takes so long, however slow the machine. Seconds. */
const STUCK = 180;

/** How a storm is made. */
export interface StormOptions {
  readonly bundle: TestBundle;
  readonly driver: string;
  readonly seed: number;
  readonly operations: number;
  /** Lanes of commands, and processes that keep the engine open. */
  readonly commands: number;
  readonly engines: number;
  /** One operation in so many is killed; none when not given. */
  readonly killOneIn?: number;
  readonly sync?: boolean;
}

/** What a storm found. */
export interface StormReport {
  /** How many operations ended how, by kind. */
  readonly counts: Readonly<Record<string, number>>;
  /** What is wrong; nothing on a sound run. */
  readonly problems: readonly string[];
}

/** Roots of a storm's own. Dispose of them in the end. */
export interface StormRoots extends Roots, AsyncDisposable {
  readonly base: string;
  readonly cgroupParent: string;
}

/** Makes roots. */
export function stormRoots(driver: string, sync: boolean): StormRoots {
  const base = mkdtempSync(`${tmpdir()}/ts-storm-`);
  const execRoot = mkdtempSync('/run/ts-storm-');
  const configFile = `${base}/daemon.json`;
  const cgroupParent = ownCgroup('ts-storm');
  writeFileSync(configFile, JSON.stringify({ 'sync-layers': sync, 'cgroup-parent': cgroupParent }));
  const remove = atExit(() => {
    for (const path of [base, execRoot]) unmountBelow(path);
    removeCgroups(cgroupParent);
    removeTree(base);
    removeTree(execRoot);
  });
  return {
    ...{ base, driver, dataRoot: `${base}/data`, execRoot, configFile, cgroupParent },
    [Symbol.asyncDispose]: async () => {
      // Containers that run would be left alone in the world; conmon and the runtime name the exec root.
      for (const [pid, line] of processesNaming(execRoot)) if (line.includes('conmon')) killTree(pid);
      await sleep(200);
      remove();
    },
  };
}

/** Ends conmon and the container that it watches. */
function killTree(pid: number): void {
  for (const one of [...processesOf(pid), pid]) {
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}

function processesOf(parent: number): number[] {
  const own = processesNaming('').keys();
  return [...own].filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number {
  try {
    const stat = process.getBuiltinModule('node:fs').readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

/** Waits until no command is at work: conmon calls one at each container's end. */
async function settle(roots: Roots): Promise<void> {
  for (let calm = 0; calm < 3; ) {
    const busy = [...processesNaming(roots.dataRoot).values()].filter((line) => !line.includes('conmon'));
    calm = busy.length === 0 ? calm + 1 : 0;
    await sleep(50);
  }
}

/** Looks at an archive that was reported written. */
function archiveFault(operation: Operation, ending: Ending): string | undefined {
  if (operation.kind !== 'save') return undefined;
  try {
    if (ending.how === 'done') checkArchive(operation.file);
    return undefined;
  } catch (error) {
    return `${JSON.stringify(operation)}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    rmSync(operation.file, { force: true });
  }
}

/** Kills the process of an operation in so many, a random while after it began. */
function killer(random: Random, oneIn: number | undefined, lane: Lane): () => void {
  if (oneIn === undefined || random.below(oneIn) !== 0) return () => {};
  const timer = setTimeout(() => lane.kill(), random.below(250));
  return () => clearTimeout(timer);
}

/** A storm on its way: what has been carried out, and what was found wrong. */
interface Course {
  readonly options: StormOptions;
  readonly world: World;
  readonly carried: Carried[];
  readonly problems: string[];
  /** Operations still to be drawn. */
  left: number;
}

/** One lane's part: operations until all have been drawn. */
async function work(course: Course, lane: Lane, index: number, moved: () => void): Promise<void> {
  const { options, world, carried, problems } = course;
  const random = randomFrom(options.seed * 100 + index);
  while (course.left > 0) {
    course.left -= 1;
    const operation = world.draw(random, index);
    const spare = killer(random, options.killOneIn, lane);
    const from = performance.now();
    const ending = await lane.carryOut(operation);
    spare();
    moved();
    carried.push({ operation, from, to: performance.now(), ending });
    world.heard(operation, ending);
    if (ending.how === 'failed' && !isExpected(operation, ending.message))
      problems.push(`${JSON.stringify(operation)}: ${ending.message}`);
    const fault = archiveFault(operation, ending);
    if (fault !== undefined) problems.push(fault);
  }
  await lane.close();
}

/** Lets the storm loose on fresh roots. */
export async function storm(options: StormOptions): Promise<StormReport> {
  await using roots = stormRoots(options.driver, options.sync ?? false);
  const scratch = `${roots.base}/scratch`;
  mkdirSync(scratch);
  const material = await makeMaterial(`${roots.base}/archives`);
  const world = new World(material, scratch);
  const course: Course = { options, world, carried: [], problems: [], left: options.operations };
  const lanes = [
    ...Array.from({ length: options.commands }, () => commandLane(options.bundle, roots)),
    ...Array.from({ length: options.engines }, () => engineLane(roots)),
  ];
  const end = (): void => {
    course.left = 0;
    for (const lane of lanes) lane.kill();
  };
  let isStuck = false;
  using dog = watchdog(STUCK, () => {
    isStuck = true;
    course.problems.push(`nothing has moved for ${STUCK} s\n${whatTheyDo(roots.dataRoot, roots.execRoot)}`);
    end();
  });
  try {
    await Promise.all(lanes.map((lane, index) => work(course, lane, index, dog.moved)));
  } finally {
    end();
  }
  if (!isStuck) course.problems.push(...(await aftermath(options, roots, course.carried, material)));
  return { counts: countsOf(course.carried), problems: course.problems };
}

/** What is there when all have gone. Removes the containers, some of which run. */
async function aftermath(
  { bundle, driver }: StormOptions,
  roots: StormRoots,
  carried: readonly Carried[],
  material: Material,
): Promise<string[]> {
  await settle(roots);
  // What killed processes left is for the next command to clear up.
  const mustDo = async (words: readonly string[]): Promise<void> => {
    const ended = await command(bundle, roots, words);
    assert.deepEqual([ended.code, ended.stderr], [0, ''], words.join(' '));
  };
  await mustDo(['images', '-a']);
  await mustDo(['ps', '-a']);
  await settle(roots);
  const count = (): Recount => recount(roots.dataRoot, roots.execRoot, driver, roots.cgroupParent);
  const counted = count();
  const problems = [...counted.problems, ...broken(carried, counted, material.archives)];
  const names = [...counted.containers.keys()];
  if (names.length > 0) await mustDo(['rm', '-f', ...names]);
  await settle(roots);
  const empty = count();
  return [
    ...problems,
    ...empty.problems,
    ...[...empty.containers.keys()].map((id) => `${id} is still there`),
  ];
}

function countsOf(carried: readonly Carried[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operation, ending } of carried) {
    const key = `${operation.kind} ${ending.how}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
