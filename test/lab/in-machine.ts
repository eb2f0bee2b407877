/** Runs a command in a machine of the lab and gathers what it says. */
import assert from 'node:assert/strict';
import { type MachineRequest, type MachineResult, runInMachine } from '../../src/lab/lab.ts';

/** How it ended, and what it said. */
export interface Gathered extends MachineResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they came. */
  readonly said: string;
}

/** A request, of 6.1 unless another kernel is named. */
export type GatheredRequest = Omit<MachineRequest, 'kernel'> & Partial<Pick<MachineRequest, 'kernel'>>;

/** Far more than most of this takes: the tests of a busy machine must not fail for its being busy. Milliseconds. */
const PATIENCE = 600_000;

/** Runs the command; `onOutput` hears of its output as well. Fails as `runInMachine` does, and not for an exit code. */
export async function inMachine({ onOutput, ...request }: GatheredRequest): Promise<Gathered> {
  const chunks: { readonly stream: string; readonly data: Buffer }[] = [];
  const result = await runInMachine({
    kernel: 'debian:6.1',
    timeoutMs: PATIENCE,
    bootTimeoutMs: PATIENCE,
    ...request,
    onOutput: (stream, data, signal) => {
      chunks.push({ stream, data });
      return onOutput?.(stream, data, signal);
    },
  });
  const text = (of?: string): string =>
    Buffer.concat(
      chunks.filter(({ stream }) => (of ?? stream) === stream).map(({ data }) => data),
    ).toString();
  return { ...result, stdout: text('stdout'), stderr: text('stderr'), said: text() };
}

/** Runs a command that must succeed: else fails with all that it said. */
export async function succeedsInMachine(request: GatheredRequest): Promise<Gathered> {
  const ended = await inMachine(request);
  assert.equal(ended.exitCode, 0, ended.said);
  return ended;
}
