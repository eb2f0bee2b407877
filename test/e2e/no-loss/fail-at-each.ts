/** Lets an operation fail at each of its writing calls, and looks at what it says and what it leaves. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { type Course, course, reset } from './kill-at-each.ts';
import { type Operation, signature } from './operations.ts';
import { type Ended, openStage, type Stage } from './stage.ts';

/** Calls that can find a disk full or broken. */
const WRITING =
  /^(open|openat|write|fsync|syncfs|close|mkdir|mkdirat|rename|renameat2|symlink|symlinkat|linkat|mknodat|[fl]setxattr|ftruncate|fchown|fchownat|fchmod|fchmodat|futimens|utimensat|unlink|unlinkat|rmdir|mount)$/;
const ERRORS = ['ENOSPC', 'EIO', 'EDQUOT'] as const;
const WORDS = /no space left on device|input\/output error|disk quota exceeded/;

/** What an operation does beside what the roots show. */
export interface FailOptions {
  readonly workers?: number;
  /** The exit code of a failure: 125 for `run`. */
  readonly exitCode?: number;
  /** More that must hold after a failure, or after success. */
  readonly check?: (stage: Stage, ended: Ended, at: string) => void;
}

/** The faults to try: each writing call once, with the three errors in turn, and from each on that the disk stays full. */
async function faultsOf(stage: Stage, operation: Operation): Promise<string[]> {
  const log = `${stage.base}/calls`;
  rmSync(log, { force: true });
  await stage.ok(operation.words(stage), { ...operation.given?.(stage), log });
  await reset(stage, operation);
  const faults: string[] = [];
  const seen = new Map<string, number>();
  for (const call of readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .filter((name) => WRITING.test(name))) {
    const nth = (seen.get(call) ?? 0) + 1;
    seen.set(call, nth);
    const error = ERRORS[(nth + call.length) % ERRORS.length] ?? 'ENOSPC';
    faults.push(`${call}:${nth}:${error}`);
    // What cannot be made, and not be taken back either.
    if (/^(open|openat|write|mkdir|mkdirat|rename|renameat2|fsync|unlink|unlinkat)$/.test(call)) {
      faults.push(`${call}:${nth}+:ENOSPC`);
    }
  }
  return faults;
}

/** One line says what failed, on what and why; warnings may stand before it. */
function checkMessage({ code, stderr }: Ended, exitCode: number, at: string): void {
  assert.equal(code, exitCode, `${at}: ${stderr}`);
  const lines = stderr.split('\n').slice(0, -1);
  // `start` says in the end which containers it could not start, as Docker does.
  const errors = lines.filter((line) => !/^(WARNING: |tsengine: failed to start containers: )/.test(line));
  assert.equal(errors.length, 1, `${at}: one line: ${stderr}`);
  assert.match(errors[0] ?? '', /^tsengine: .*[/a-z]/, at);
  assert.match(errors[0] ?? '', WORDS, `${at}: says why: ${stderr}`);
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
  if (ended.code !== 0) checkMessage(ended, exitCode, at);
  check?.(stage, ended, at);
  // A mount point that cannot be removed is empty, and waits for the next one who mounts there.
  const counted = await stage.settle(at, fault.startsWith('rmdir') ? /\/merged is left over$/ : undefined);
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

/** Tries all faults. Gives one line that says what was covered. */
export async function failAtEach(
  operation: Operation,
  driver: string,
  options: FailOptions = {},
): Promise<string> {
  const { workers = 2 } = options;
  let faults: readonly string[] = [];
  let next = 0;
  let failures = 0;
  let broken = false;
  const work = async (): Promise<void> => {
    await using stage = openStage(driver, { 'sync-layers': true });
    await operation.prepare(stage);
    const known = await course(stage, operation);
    const all = await faultsOf(stage, operation);
    faults = faults.length === 0 ? all : faults;
    while (!broken) {
      const fault = faults[next++];
      if (fault === undefined) return;
      const failed = await failOnce(stage, operation, known, fault, options).catch((error: unknown) => {
        broken = true;
        throw error;
      });
      if (failed) failures += 1;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: workers }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return `${operation.name} on ${driver}: ${faults.length} faults, ${failures} of them failures, ${faults.length - failures} harmless`;
}
