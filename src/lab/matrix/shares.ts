/** How the work is divided among machines: as many at once as there are jobs and memory for. */
import type { Left } from './findings.ts';
import { BACKINGS, type Backing } from './schema.ts';

/** Cells and filesystems' features that are worth a machine of their own: starting one takes as long as some of them do. */
const WORTH_A_MACHINE = 4;

/**
 * How many machines each of so many kernels may have: one, but the last ones, which are no full round of jobs any more, share
 * the jobs.
 */
export function machinesPerKernel(kernels: number, jobs: number): number[] {
  const last = kernels % jobs;
  return Array.from({ length: kernels }, (_, index) => (index < kernels - last ? 1 : Math.ceil(jobs / last)));
}

/** How many machines of `memory` bytes there is room for in `available` bytes, one at the least: QEMU takes a quarter more. */
export function machinesInMemory(available: number, memory: number): number {
  return Math.max(1, Math.floor(available / (memory * 1.25)));
}

/**
 * Divides what is left into as many parts, or fewer where it is little, of about the same number. What is on one filesystem
 * stays together as far as that goes; what is on ZFS, which takes machines of its own, is in the last ones.
 */
export function sharesOf({ cells, features }: Left, parts: number): Left[] {
  const places: readonly (Backing | null)[] = [null, ...BACKINGS.filter((one) => one !== 'zfs'), 'zfs'];
  const steps: Left[] = places.flatMap((place) => [
    ...features.filter((backing) => backing === place).map((backing) => ({ cells: [], features: [backing] })),
    ...cells.filter(({ backing }) => backing === place).map((cell) => ({ cells: [cell], features: [] })),
  ]);
  const number = Math.max(1, Math.min(parts, Math.floor(steps.length / WORTH_A_MACHINE)));
  const start = (part: number): number => Math.round((part * steps.length) / number);
  return Array.from({ length: number }, (_, part) => {
    const own = steps.slice(start(part), start(part + 1));
    return {
      cells: own.flatMap((step) => step.cells),
      features: own.flatMap((step) => step.features),
    };
  });
}
