/** What is to be run of a matrix, and how much of it at once. */
import { DEFAULT_MEMORY } from '../memory.ts';
import { type CellName, cellKey } from './cells.ts';
import type { MatrixEvent } from './events.ts';
import { Findings, isNothing, type Left, type Wanted } from './findings.ts';
import { HOST } from './kernel-names.ts';
import type { KernelOptions, KernelWork } from './kernel-run.ts';
import type { ResultKeys } from './result-keys.ts';
import { machinesInMemory, machinesPerKernel, sharesOf } from './shares.ts';
import { Slots } from './slots.ts';

/** A kernel that was asked for, and the keys under which its results are kept; none are where it cannot be had. */
export type KeyedKernel = Pick<KernelWork, 'name' | 'choice' | 'known' | 'failure'> & {
  readonly keys: ResultKeys | undefined;
};

/** What is there to run it. */
export interface Means {
  /** How many machines, and cells on this machine, may run at once. */
  readonly jobs: number;
  /** Bytes of a machine; the lab's own number when not given. */
  readonly memory: number | undefined;
  /** Bytes that this machine can still give. */
  readonly available: number;
}

/** The kernels with all that they need to run side by side. */
export interface MatrixPlan {
  readonly works: readonly (KernelWork & Pick<KeyedKernel, 'keys'>)[];
  readonly together: Pick<KernelOptions, 'parallel' | 'machines' | 'jobs' | 'room'>;
  /** How many cells there are, and how many of them are known. */
  readonly total: number;
  readonly known: number;
  /** One line where memory and not `jobs` is what limits the machines. */
  readonly shortage: string | undefined;
}

/** Divides jobs and memory among the kernels that something is left to do for. */
export function planOf(wanted: Wanted, kernels: readonly KeyedKernel[], means: Means): MatrixPlan {
  const { jobs, memory = DEFAULT_MEMORY, available } = means;
  const room = machinesInMemory(available, memory);
  const lefts = kernels.map(({ known }) => new Findings(wanted, known).left());
  const virtual = kernels.flatMap(({ choice }, index) => {
    const left = lefts[index];
    return choice === HOST || left === undefined || isNothing(left) ? [] : [{ index, left }];
  });
  /** How many machines each kernel of `virtual` has with so many jobs. */
  const divided = (width: number): number[] =>
    machinesPerKernel(virtual.length, width).map(
      (most, at) => sharesOf(virtual[at]?.left ?? NOTHING, most).length,
    );
  const atOnce = (width: number): number => Math.min(width, sum(divided(width)));
  const width = Math.min(jobs, room);
  const machines = divided(width);
  return {
    works: kernels.map((kernel, index) => ({
      ...kernel,
      ...wanted,
      ownMachines: machines[virtual.findIndex((one) => one.index === index)] ?? 1,
    })),
    together: {
      parallel: jobs,
      machines: Math.max(1, atOnce(width)),
      jobs: new Slots(jobs),
      room: new Slots(room),
    },
    total: wanted.cells.length * kernels.length,
    known: sum(kernels.map(({ known }) => countWanted(known, wanted.cells))),
    shortage:
      atOnce(jobs) > room
        ? `there is memory for ${room} machines of ${Math.round(memory / 2 ** 20)} MiB at once, not for ${atOnce(jobs)}: --memory gives them less`
        : undefined,
  };
}

const NOTHING: Left = { cells: [], features: [] };

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

function countWanted(known: readonly MatrixEvent[], cells: readonly CellName[]): number {
  const keys = new Set(cells.map(cellKey));
  return known.filter((event) => event.event === 'cell' && keys.has(cellKey(event.cell))).length;
}
