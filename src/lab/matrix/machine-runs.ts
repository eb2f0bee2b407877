/** Machines until all is known: another one after each that something has brought down. */
import { errorMessage } from '../../errors.ts';
import { UnfitKernelError } from '../initramfs.ts';
import { MachineError } from '../machine-error.ts';
import type { KernelChoice } from '../types.ts';
import { NoZfsError } from '../zfs-modules.ts';
import type { MatrixEvent } from './events.ts';
import { type Failure, type Findings, isNothing } from './findings.ts';
import { type CellsOptions, runCellsInMachine } from './machine-cells.ts';
import { hasZfsMachine, isOnZfs, oneSort, withoutZfs } from './zfs-apart.ts';

/** How they are run. */
export interface MachineOptions extends CellsOptions {
  /** Takes whatever is new. */
  emit(event: MatrixEvent): void;
}

/** How often a machine that dies is started again; each time at least one cell, or the features of one filesystem, are done. */
const MOST_STARTS = 100;

/** Runs what is left. Gives why it did not get to the end; null when it did. Throws when it is aborted. */
export async function runInMachines(
  choice: KernelChoice,
  findings: Findings,
  options: MachineOptions,
): Promise<Failure | null> {
  const told = new Set<string>();
  const notice = (line: string): void => {
    // Every machine of the kernel would say the same.
    if (!told.has(line)) options.note(line);
    told.add(line);
  };
  for (let start = 0; start < MOST_STARTS; start++) {
    const left = oneSort(findings.left(), choice);
    if (isNothing(left)) return null;
    const withZfs = isOnZfs(left) && hasZfsMachine(choice);
    try {
      const ended = await runCellsInMachine(choice, left, withZfs, { ...options, notice });
      if (findings.isUnchanged(left))
        return { of: 'kernel', error: `the cells ended with exit code ${ended.exitCode}: ${ended.said}` };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (withZfs && error instanceof NoZfsError) {
        for (const event of withoutZfs(left, errorMessage(error))) options.emit(event);
        continue;
      }
      if (error instanceof UnfitKernelError) return { of: 'kernel', error: error.message };
      if (!isOfMachine(error)) return { of: 'lab', error: errorMessage(error) };
      // What ran when the machine died is what it died of.
      const blamed = findings.blame(errorMessage(error), error.console.join('\n'));
      // Between two cells nothing is to blame, and what is left may do well: unless the machine did not get to any.
      if (blamed.length === 0 && findings.isUnchanged(left))
        return { of: 'kernel', error: errorMessage(error) };
      for (const event of blamed) options.emit(event);
    }
  }
  return { of: 'kernel', error: `the machine died ${MOST_STARTS} times` };
}

/** Whether the machine is to blame, and not what this machine could not give it. Exported for its test. */
export function isOfMachine(error: unknown): error is MachineError {
  return error instanceof MachineError && error.kind !== 'host-disk' && error.kind !== 'host';
}
