/** The conformance suite over one driver, check by check. */
import { CHECKS, type Check, type Subject } from '../drivers/conformance/index.ts';
import { errorMessage } from '../errors.ts';
import type { Lacking } from './matrix/lacking.ts';

/** What became of a check. */
export interface CheckOutcome {
  readonly name: string;
  /** `excused`: it says nothing of a driver of these capabilities, or of this filesystem. */
  readonly state: 'ok' | 'failed' | 'excused';
  readonly ms: number;
  /** Why it failed or was excused, in one line. */
  readonly reason: string | undefined;
  /** What it failed with. */
  readonly error: unknown;
}

/** Which checks, and what the filesystem lacks. */
export interface CheckOptions {
  /** The slow ones as well. */
  readonly slow: boolean;
  /** Without those that take a second or two. */
  readonly brief?: boolean;
  readonly lacking: readonly Lacking[];
  /** Only those whose name it matches, slow or not. */
  readonly only?: RegExp;
  /** Ends it between two checks: the call fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Runs the checks in their order and tells of each. Does not throw for a check that fails. */
export async function runChecks(
  subject: Subject,
  { slow, brief = false, lacking, only, signal }: CheckOptions,
  each: (outcome: CheckOutcome) => void,
): Promise<void> {
  const without = lacking.flatMap(({ attributes }) => attributes ?? []);
  for (const check of CHECKS) {
    const isLeftOut = (check.slow === true && !slow) || (check.lengthy === true && brief);
    if (only === undefined ? isLeftOut : !only.test(check.name)) continue;
    const lack = lacking.find(({ checks }) => checks?.test(check.name) === true)?.reason;
    const excuse = check.excused?.(subject.driver.capabilities) ?? lack;
    const outcome: CheckOutcome =
      excuse === undefined
        ? await runCheck(check, { ...subject, without })
        : { name: check.name, state: 'excused', ms: 0, reason: excuse, error: undefined };
    // What Ctrl-C ended, other processes of the check among it, says nothing.
    signal?.throwIfAborted();
    each(outcome);
  }
}

/** Runs one check. */
export async function runCheck(check: Check, subject: Subject): Promise<CheckOutcome> {
  const started = performance.now();
  const outcome = (state: 'ok' | 'failed', error?: unknown): CheckOutcome => ({
    name: check.name,
    state,
    error,
    ms: Math.round(performance.now() - started),
    reason: state === 'ok' ? undefined : errorMessage(error),
  });
  try {
    await check.run(subject);
    return outcome('ok');
  } catch (error) {
    return outcome('failed', error);
  }
}
