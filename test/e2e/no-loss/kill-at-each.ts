/** Kills an operation before each of its calls into `src/linux/`, and looks at what the next commands make of it. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import type { Thread } from '../../../src/linux/fault.ts';
import { FULL, leftOut, OF_CALLS, sampleOf, sized } from '../../helpers/scope.ts';
import { type Operation, signature } from './operations.ts';
import { type Ended, openStage, quiet, type Stage } from './stage.ts';

/** How thoroughly. */
export interface KillOptions {
  /** One in how many calls; each unless given. */
  readonly stride?: number;
  /** Processes at once: one for a sample, whose tests run beside others; each prepares the same. */
  readonly workers?: number;
  /** The thread whose calls are meant; the main thread unless given. */
  readonly thread?: Thread;
  /** More that must hold after a kill, or after an end without one. */
  readonly check?: (stage: Stage, ended: Ended, at: string) => void;
}

/** What a run of the operation without a kill shows. */
export interface Course {
  /** The names of its calls, in their order. */
  readonly calls: Readonly<Record<Thread, readonly string[]>>;
  /** Signatures that a kill may leave, in the order in which they come. */
  readonly states: readonly string[];
  /** What `stuck` leads to. */
  readonly stuck: string | undefined;
}

/** Ends what runs, so that the roots can be put back. */
export async function endAll(stage: Stage): Promise<void> {
  const running = [...stage.count().containers].filter(([, one]) => one.running);
  if (running.length === 0) return;
  await using engine = await stage.open();
  for (const [id] of running) await engine.containers.remove(id, { force: true, volumes: true });
}

/** Puts the roots back, and makes anew what runs. */
export async function reset(stage: Stage, operation: Operation): Promise<void> {
  await endAll(stage);
  // What conmon calls at the end of a container would make folders in the root that is being put back.
  await quiet(stage, operation.name);
  stage.putBack();
  await operation.each?.(stage);
}

function readCalls(log: string): Course['calls'] {
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const isOfWorker = (line: string) => line.startsWith('worker:');
  return { main: lines.filter((line) => !isOfWorker(line)), worker: lines.filter(isOfWorker) };
}

/** Runs the operation, and each of the commands that lead to states in between, once without a fault. */
export async function course(stage: Stage, operation: Operation): Promise<Course> {
  const states: string[] = [];
  stage.keep();
  await operation.each?.(stage);
  states.push(signature(await stage.settle('before')));
  for (const words of operation.between?.(stage) ?? []) {
    await stage.ok(words);
    states.push(signature(await stage.settle(words.join(' '))));
    await reset(stage, operation);
  }
  for (const words of operation.stuck ?? []) await stage.ok(words);
  const stuck = operation.stuck === undefined ? undefined : signature(await stage.settle('stuck'));
  if (stuck !== undefined) await reset(stage, operation);
  // As each kill finds it.
  await reset(stage, operation);
  const log = `${stage.base}/calls`;
  rmSync(log, { force: true });
  await stage.ok(operation.words(stage), { ...operation.given?.(stage), log });
  const calls = readCalls(log);
  states.push(signature(await stage.settle('after')));
  await reset(stage, operation);
  return { calls, states, stuck };
}

/** One kill: gives the index of the state that it left, `undefined` when the process ended before it came to that call. */
async function killOnce(
  stage: Stage,
  operation: Operation,
  states: readonly string[],
  fault: string,
  check: KillOptions['check'],
): Promise<number | undefined> {
  const given = { ...operation.given?.(stage), fault };
  const ended = await stage.run(operation.words(stage), given);
  const { code, signal, stdout, stderr } = ended;
  const at = `${operation.name} on ${stage.driver}, ${fault}`;
  check?.(stage, ended, at);
  if (signal !== 'SIGKILL') {
    assert.equal(code, 0, `${at}: ${stderr}`);
    await reset(stage, operation);
    return undefined;
  }
  const counted = await stage.settle(at);
  assert.deepEqual(counted.ownerlessVolumes, [], at);
  const left = signature(counted);
  // The last first: an operation that changes nothing in the end has the same state before and after.
  const state = states.lastIndexOf(left);
  assert.ok(state >= 0, `${at}: neither before nor after: ${left}`);
  const lines = stdout.split('\n').length - 1;
  const said = operation.linePerState === true ? lines : stdout === '' ? 0 : states.length - 1;
  assert.ok(state >= said, `${at}: it had said ${stdout}`);
  // Always: folders that a killed process made for the first time would make the next one's calls fewer.
  await reset(stage, operation);
  return state;
}

/** What kills left: of which call, which state. */
type Left = ReadonlyMap<number, number>;

/** Fails unless the kills happened: at each call that was to be killed, and at one where the operation's effect was there. */
function checkCovered(
  left: Left,
  calls: number,
  targets: readonly number[],
  lastState: number,
  operation: Operation,
): void {
  const sure = operation.waits === true || operation.varies === true ? Math.floor(calls * 0.95) : calls;
  assert.ok(sure > 10, `${operation.name}: only ${calls} calls`);
  for (const nth of targets.filter((one) => one <= sure))
    assert.ok(left.has(nth), `${operation.name}: was not killed at call ${nth} of ${calls}`);
  assert.ok([...left.values()].includes(lastState), `${operation.name}: no kill came after its effect`);
}

/** Once the operation's effect is there it stays there: no later crash undoes it. Gives the call from which on it is there. */
function checkOrder(left: Left, what: string): number {
  const order = [...left].sort(([a], [b]) => a - b);
  let [from, best] = [0, 0];
  for (const [nth, state] of order) {
    const all = order.map((one) => one.join(':')).join(' ');
    assert.ok(state >= best, `${what}: call ${nth} undid what an earlier kill had left: ${all}`);
    if (state > best) [from, best] = [nth, state];
  }
  return from;
}

/** The calls to kill at. In a full run some more than were counted: a run may make a few more than the last one. */
function targetsOf(
  calls: readonly string[],
  stride: number,
  of: string,
  { varies = false, waits = false }: Operation,
): readonly number[] {
  const more = FULL ? Array.from({ length: MOST_MORE }, () => '') : [];
  const numbered = [...calls, ...more].map((name, index) => ({ name, nth: index + 1 }));
  const strided = numbered.filter((_, index) => index % stride === 0);
  const taken = sampleOf(strided, { ...OF_CALLS, kindOf: ({ name }) => name, of }).map(({ nth }) => nth);
  if (FULL || !(varies || waits)) return taken;
  // The very last of its calls may not come another time: one before it then is after its effect.
  const late = BEFORE_THE_LAST.map((before) => calls.length - before);
  return [...new Set([...taken, ...late])].sort((a, b) => a - b);
}

/** How far before the last call a sample has two more, of an operation whose number of calls is not always the same. */
const BEFORE_THE_LAST = [3, 8];

/** As many calls more than a first run may a later one make, where others work beside it. */
const MOST_MORE = 50;

/** Kills the operation at every call, or at some. Gives one line that says what was covered. */
export async function killAtEach(
  operation: Operation,
  driver: string,
  { stride = 1, workers = sized(2, 1), thread = 'main', check }: KillOptions = {},
): Promise<string> {
  const what = `${operation.name} on ${driver}`;
  const left = new Map<number, number>();
  let next = 0;
  let calls = 0;
  let targets: readonly number[] | undefined;
  let lastState = 0;
  let failed = false;
  const work = async (): Promise<void> => {
    await using stage = openStage(driver);
    await operation.prepare(stage);
    const known = await course(stage, operation);
    calls = Math.max(calls, known.calls[thread].length);
    targets ??= targetsOf(known.calls[thread], stride, what, operation);
    lastState = known.states.length - 1;
    while (!failed) {
      const nth = targets[next++];
      if (nth === undefined) return;
      const fault = `${thread}:*:${nth}:kill`;
      const state = await killOnce(stage, operation, known.states, fault, check).catch((error: unknown) => {
        failed = true;
        throw error;
      });
      // In a full run the process ends before it comes to a call that it does not make: nothing is left to do then.
      if (state === undefined && nth > known.calls[thread].length) return;
      if (state !== undefined) left.set(nth, state);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: workers }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  // A worker is at work before anything is registered.
  checkCovered(left, calls, targets ?? [], thread === 'worker' ? 0 : lastState, operation);
  const from = operation.waits === true ? 0 : checkOrder(left, what);
  const whose = `${calls} calls${thread === 'worker' ? ' of the worker' : ''}`;
  const done = from === 0 ? '' : `, done from call ${from} on`;
  return `${what}: killed before ${left.size} of ${whose}${done}${leftOut(left.size, calls)}`;
}
