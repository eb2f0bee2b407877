/** All cells of one kernel: on this machine when it is the host's own, in a virtual machine else. */
import type { KernelChoice } from '../types.ts';
import { runCellsHere } from './cells-here.ts';
import type { MatrixEvent } from './events.ts';
import { Findings, isNothing, type Wanted } from './findings.ts';
import { HOST } from './kernel-names.ts';
import { type MachineOptions, runInMachines } from './machine-runs.ts';
import type { KernelResult } from './schema.ts';

/** A kernel, and what is to be run on it. */
export interface KernelWork extends Wanted {
  /** As `--kernels` names it. */
  readonly name: string;
  readonly choice: KernelChoice;
  /** What an earlier run found already. */
  readonly known: readonly MatrixEvent[];
}

/** How it is run. */
export interface KernelOptions extends MachineOptions {
  /** A folder for images of filesystems on this machine. */
  readonly folder: string;
  /** How many cells at once on this machine. */
  readonly parallel: number;
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
  if (choice !== HOST)
    return findings.result(name, await runInMachines(choice, findings, { ...options, emit }));
  const { folder, slow, limitMs, parallel } = options;
  await runCellsHere({ ...left, folder, slow, limitMs, parallel }, emit, options.signal);
  return findings.result(name, null);
}
