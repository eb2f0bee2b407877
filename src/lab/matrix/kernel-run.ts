/** All cells of one kernel: on this machine when it is the host's own, in virtual machines else. */
import type { KernelChoice } from '../types.ts';
import { runCellsHere } from './cells-here.ts';
import type { MatrixEvent } from './events.ts';
import { type Failure, Findings, isNothing, type Left, type Wanted } from './findings.ts';
import { HOST } from './kernel-names.ts';
import { type MachineOptions, runInMachines } from './machine-runs.ts';
import { pooled } from './pool.ts';
import type { KernelResult } from './schema.ts';
import { sharesOf } from './shares.ts';
import type { Slots } from './slots.ts';

/** A kernel, and what is to be run on it. */
export interface KernelWork extends Wanted {
  /** As `--kernels` names it. */
  readonly name: string;
  readonly choice: KernelChoice;
  /** What an earlier run found already. */
  readonly known: readonly MatrixEvent[];
  /** Why it cannot be run; null when it can. */
  readonly failure: Failure | null;
  /** How many machines it may have at once. */
  readonly ownMachines: number;
}

/** How it is run. */
export interface KernelOptions extends MachineOptions {
  /** A folder for images of filesystems on this machine. */
  readonly folder: string;
  /** How many cells at once on this machine. */
  readonly parallel: number;
  /** Each machine, and each cell on this one, takes a place of these, which are there for all kernels. */
  readonly jobs: Slots;
  /** Each machine takes one of these as well: there is memory for so many. */
  readonly room: Slots;
  /** Takes a line about what a cell leaves behind on this machine. */
  warn(line: string): void;
}

/** Runs what is not known yet. A kernel that cannot be had, or dies, is a result; only an abort, a refusal of the host and an `emit` that fails throw. */
export async function runKernel(work: KernelWork, options: KernelOptions): Promise<KernelResult> {
  const { name, choice } = work;
  const findings = new Findings(work, work.known);
  const emit = (event: MatrixEvent): void => {
    options.emit(event);
    findings.take(event);
  };
  const left = findings.left();
  if (isNothing(left)) return findings.result(name, null);
  if (work.failure !== null) return findings.result(name, work.failure);
  if (choice === HOST) {
    const { folder, slow, limitMs, parallel, signal, jobs, warn } = options;
    await runCellsHere({ ...left, folder, slow, limitMs, parallel }, emit, { signal, jobs, warn });
    return findings.result(name, null);
  }
  const told = new Set<string>();
  const note = (line: string): void => {
    // Machines side by side have the same to say.
    if (!told.has(line)) options.note(line);
    told.add(line);
  };
  const failures: Failure[] = [];
  const shares = sharesOf(left, work.ownMachines);
  await pooled(shares, shares.length, async (share) => {
    const failure = await runShare(choice, share, { ...options, emit, note });
    if (failure !== null) failures.push(failure);
  });
  return findings.result(name, failures.find((one) => one.of === 'kernel') ?? failures[0] ?? null);
}

/** One machine after the other. Knows of its share only: what runs in others is nothing that its machine can die of. */
async function runShare(choice: KernelChoice, share: Left, options: KernelOptions): Promise<Failure | null> {
  const findings = new Findings(share, []);
  const emit = (event: MatrixEvent): void => {
    options.emit(event);
    findings.take(event);
  };
  return await options.room.run(() =>
    options.jobs.run(async () => {
      options.signal?.throwIfAborted();
      return await runInMachines(choice, findings, { ...options, emit });
    }),
  );
}
