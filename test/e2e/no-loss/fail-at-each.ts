/** Lets an operation fail at each of its writing calls, and looks at what it says and what it leaves. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { unmountBelow } from '../../helpers/loop.ts';
import { FULL, leftOut, OF_WRITES, sampleOf, sized } from '../../helpers/scope.ts';
import { type Course, course, reset } from './kill-at-each.ts';
import { type Operation, signature } from './operations.ts';
import { type Ended, openStage, type Stage } from './stage.ts';

/** Calls that can find a disk full or broken. */
const WRITING = new RegExp(
  `^(?:worker:)?(?:${[
    'open|openat|write|fallocate|ftruncate|copy_file_range|ioctl_ficlone|fsync|syncfs|sync_file_range|close',
    'mkdir|mkdirat|rename|renameat2|symlink|symlinkat|linkat|mknodat|unlink|unlinkat|rmdir',
    '[fl]setxattr|lremovexattr|fchown|fchownat|fchmod|fchmodat|futimens|utimensat',
    'mount|umount2|fsopen|fsconfig|fsmount|move_mount',
  ].join('|')})$`,
);
/** From these on nothing works any more: what cannot be made, and not be taken back either. */
const LASTING = /^(?:worker:)?(?:open|openat|write|mkdir|mkdirat|rename|renameat2|fsync|unlink|unlinkat)$/;
/** What a disk says that is broken, that is full, and of which the owner has used up their part. */
const ERRORS = ['EIO', 'ENOSPC', 'EDQUOT'] as const;
const WORDS: Readonly<Record<string, RegExp>> = {
  ENOSPC: /no space left on device/,
  EDQUOT: /disk quota exceeded/,
  EIO: /input\/output error/,
};

/** What an operation does beside what the roots show. */
export interface FailOptions {
  readonly workers?: number;
  /** The exit code of a failure: 125 for `run`. */
  readonly exitCode?: number;
  /** Whether faults that stay are tried as well. Default true. */
  readonly lasting?: boolean;
  /** Of a worker's calls, one in how many. */
  readonly workerStride?: number;
  /** More that must hold after a failure, or after success. */
  readonly check?: (stage: Stage, ended: Ended, at: string) => void;
}

/** The names of an operation's calls, in their order; those of a worker with `worker:` before them. */
async function callsOf(stage: Stage, operation: Operation): Promise<string[]> {
  const log = `${stage.base}/calls`;
  rmSync(log, { force: true });
  await stage.ok(operation.words(stage), { ...operation.given?.(stage), log });
  await reset(stage, operation);
  return readFileSync(log, 'utf8').trim().split('\n');
}

/** A call that can fail for want of a disk: the `nth` of its name. */
interface WritingCall {
  readonly name: string;
  readonly nth: number;
}

/** The writing calls among an operation's calls; of those of workers one in `workerStride`. */
function writingCalls(calls: readonly string[], workerStride: number): WritingCall[] {
  const found: WritingCall[] = [];
  const seen = new Map<string, number>();
  let ofWorkers = 0;
  for (const name of calls) {
    const nth = (seen.get(name) ?? 0) + 1;
    seen.set(name, nth);
    if (!WRITING.test(name) || (name.startsWith('worker:') && ofWorkers++ % workerStride !== 0)) continue;
    found.push({ name, nth });
  }
  return found;
}

/** The faults of one call: with each of these errors, and, of calls after which nothing may work, a disk that stays full. */
function faultsOf({ name, nth }: WritingCall, errors: readonly string[], lasting: boolean): string[] {
  const one = name.startsWith('worker:') ? name : `main:${name}`;
  const stays = lasting && LASTING.test(name) ? [`${name}:${nth}+:ENOSPC`] : [];
  return [...errors.map((error) => `${one}:${nth}:${error}`), ...stays];
}

/**
 * The errors that this run gives a call: all in a full run. In a sample each call has one: the first that is taken finds the
 * disk full, and then the three take turns.
 */
function errorsOf(index: number): readonly string[] {
  return FULL ? ERRORS : ERRORS.slice((index + 1) % ERRORS.length).slice(0, 1);
}

/** The faults that this run tries, and how many there are in all. */
function planOf(
  names: readonly string[],
  of: string,
  { lasting = true, workerStride = 1 }: FailOptions,
): Plan {
  const calls = writingCalls(names, workerStride);
  const taken = sampleOf(calls, { ...OF_WRITES, kindOf: ({ name }) => name, of });
  return {
    faults: taken.flatMap((call, index) =>
      faultsOf(call, errorsOf(index), lasting && staysFull(call, taken)),
    ),
    all: calls.flatMap((call) => faultsOf(call, ERRORS, lasting)).length,
  };
}

/** Whether a disk stays full from this call on: each in a full run, else the first that is taken of each name. */
function staysFull(call: WritingCall, taken: readonly WritingCall[]): boolean {
  return FULL || taken.find(({ name }) => name === call.name) === call;
}

interface Plan {
  readonly faults: readonly string[];
  readonly all: number;
}

/** One line says what failed, on what and why; warnings may stand before it. */
function checkMessage({ code, stderr }: Ended, exitCode: number, fault: string, at: string): void {
  assert.equal(code, exitCode, `${at}: ${stderr}`);
  const lines = stderr.split('\n').slice(0, -1);
  // `start` says in the end which containers it could not start, as Docker does.
  const errors = lines.filter((line) => !/^(WARNING: |tsengine: failed to start containers: )/.test(line));
  assert.equal(errors.length, 1, `${at}: one line: ${stderr}`);
  assert.match(errors[0] ?? '', /^tsengine: .*[/a-z]/, at);
  assert.match(errors[0] ?? '', WORDS[fault.slice(fault.lastIndexOf(':') + 1)] ?? /^$/, `${at}: says why`);
}

async function failOnce(
  stage: Stage,
  operation: Operation,
  { states, stuck }: Pick<Course, 'states' | 'stuck'>,
  fault: string,
  { exitCode = 1, check }: FailOptions,
): Promise<boolean> {
  const at = `${operation.name} on ${stage.driver}, ${fault}`;
  const ended = await stage.run(operation.words(stage), { ...operation.given?.(stage), fault });
  assert.equal(ended.signal, null, at);
  if (ended.code !== 0) checkMessage(ended, exitCode, fault, at);
  check?.(stage, ended, at);
  // A mount point that cannot be removed is empty, and waits for the next one who mounts there.
  const counted = await stage.settle(at, /\brmdir:/.test(fault) ? /\/merged is left over$/ : undefined);
  assert.deepEqual(counted.ownerlessVolumes, [], at);
  const left = signature(counted);
  if (fault.includes('+') && ended.code !== 0 && left === stuck) {
    await reset(stage, operation);
    return true;
  }
  const state = states.lastIndexOf(left);
  assert.ok(state >= 0, `${at}: neither before nor after: ${ended.stderr}: ${left}`);
  if (ended.code === 0) assert.equal(state, states.length - 1, `${at}: it said that all is done`);
  // Where nothing can be written any more, what was done cannot always be undone: then it is there, whole.
  // And a removal that has begun is not taken back: the line says that what is left goes with the next command.
  else if (!fault.includes('+') && states[0] !== states.at(-1) && !/ is removed, but /.test(ended.stderr)) {
    assert.ok(state < states.length - 1, `${at}: failed, and yet done: ${ended.stderr}`);
  }
  await reset(stage, operation);
  return ended.code !== 0;
}

/** After so many faults that broke something the others are not tried. */
const MOST_BROKEN = 8;

/** So many of the faults must be failures, or they were at calls that do not matter. Measured: 0.89 of all; a sample is of a few only. */
const FAILS = sized(0.85, 0.6);
/** Of an operation that clears up: what it cannot remove the next command does. Measured: 0.33 of all. */
const CLEARING_FAILS = sized(0.28, 0.1);

/** Tries all faults. Gives one line that says what was covered. */
export async function failAtEach(
  operation: Operation,
  driver: string,
  options: FailOptions = {},
): Promise<string> {
  const { workers = sized(2, 1) } = options;
  const what = `${operation.name} on ${driver}`;
  let plan: Plan | undefined;
  let next = 0;
  let failures = 0;
  const broken: string[] = [];
  const work = async (): Promise<void> => {
    await using stage = openStage(driver, { 'sync-layers': true });
    await operation.prepare(stage);
    const known = await course(stage, operation);
    const names = plan === undefined ? await callsOf(stage, operation) : [];
    plan ??= planOf(names, what, options);
    while (broken.length < MOST_BROKEN) {
      const fault = plan.faults[next++];
      if (fault === undefined) return;
      try {
        if (await failOnce(stage, operation, known, fault, options)) failures += 1;
      } catch (error) {
        broken.push(error instanceof Error ? error.message : String(error));
        unmountBelow(stage.dataRoot);
        await reset(stage, operation);
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: workers }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  assert.deepEqual(broken, []);
  const { faults, all } = plan ?? { faults: [], all: 0 };
  const tried = faults.length;
  const least = operation.clearsUp === true ? CLEARING_FAILS : FAILS;
  assert.ok(all > 20 && failures >= tried * least, `${operation.name}: ${failures} failures of ${tried}`);
  const harmless = tried - failures;
  return `${what}: ${tried} faults, ${failures} of them failures, ${harmless} harmless${leftOut(tried, all)}`;
}
