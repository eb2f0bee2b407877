/** Kills an operation before each of its calls into `src/linux/`, and looks at what the next commands make of it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { type Operation, signature } from './operations.ts';
import { openStage, quiet, type Stage } from './stage.ts';

/** How thoroughly. */
export interface KillOptions {
  /** One in how many calls; each unless given. */
  readonly stride?: number;
  /** Processes at once. */
  readonly workers?: number;
}

/** What a run of the operation without a kill shows. */
export interface Course {
  readonly calls: number;
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

/** Runs the operation, and each of the commands that lead to states in between, once without a fault. */
export async function course(stage: Stage, operation: Operation): Promise<Course> {
  const states: string[] = [];
  stage.keep();
  await operation.each?.(stage);
  states.push(signature(await stage.settle('before')));
  for (const words of operation.between ?? []) {
    await stage.ok(words);
    states.push(signature(await stage.settle(words.join(' '))));
    await reset(stage, operation);
  }
  for (const words of operation.stuck ?? []) await stage.ok(words);
  const stuck = operation.stuck === undefined ? undefined : signature(await stage.settle('stuck'));
  if (stuck !== undefined) await reset(stage, operation);
  const log = `${stage.base}/calls`;
  rmSync(log, { force: true });
  await stage.ok(operation.words(stage), { ...operation.given?.(stage), log });
  const calls = existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
  states.push(signature(await stage.settle('after')));
  await reset(stage, operation);
  return { calls, states, stuck };
}

/** One kill: gives the index of the state that it left, `undefined` when the process ended before it came to that call. */
async function killOnce(
  stage: Stage,
  operation: Operation,
  states: readonly string[],
  nth: number,
): Promise<number | undefined> {
  const given = { ...operation.given?.(stage), fault: `*:${nth}:kill` };
  const { code, signal, stdout, stderr } = await stage.run(operation.words(stage), given);
  const at = `${operation.name} on ${stage.driver}, killed at call ${nth}`;
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
  if (stdout !== '') assert.equal(state, states.length - 1, `${at}: it had said ${stdout}`);
  // Always: folders that a killed process made for the first time would make the next one's calls fewer.
  await reset(stage, operation);
  return state;
}

/** Kills the operation at every call, or at some. Gives one line that says what was covered. */
export async function killAtEach(
  operation: Operation,
  driver: string,
  { stride = 1, workers = 2 }: KillOptions = {},
): Promise<string> {
  const left = new Map<number, number>();
  let next = 1;
  let calls = 0;
  let failed = false;
  const work = async (): Promise<void> => {
    await using stage = openStage(driver);
    await operation.prepare(stage);
    const { states, calls: counted } = await course(stage, operation);
    calls = Math.max(calls, counted);
    for (let over = false; !over && !failed; ) {
      const nth = next;
      next += stride;
      const state = await killOnce(stage, operation, states, nth).catch((error: unknown) => {
        failed = true;
        throw error;
      });
      if (state === undefined) over = true;
      else left.set(nth, state);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: workers }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  const order = [...left].sort(([a], [b]) => a - b);
  let best = 0;
  for (const [nth, state] of operation.waits === true ? [] : order) {
    // Once the operation's effect is there it stays there: no later crash undoes it.
    assert.ok(
      state >= best,
      `${operation.name} on ${driver}: call ${nth} undid what an earlier kill had left: ${order.map(([call, left]) => `${call}:${left}`).join(' ')}`,
    );
    best = state;
  }
  const first = best === 0 ? 'none' : order.find(([, state]) => state === best)?.[0];
  return `${operation.name} on ${driver}: killed at ${stride === 1 ? 'each' : `one in ${stride}`} of ${calls} calls (${left.size} kills), done from call ${first} on`;
}
