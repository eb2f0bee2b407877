/** A matrix in a few lines. */
import { printablePath } from '../../linux/path.ts';
import { type Cell, type Feature, type KernelResult, type Matrix, STATUSES } from './schema.ts';

/** How many cells there are of each status, in words: `12 work, 1 refused`. */
export function countsText(cells: readonly Cell[]): string {
  const counts = STATUSES.map((status) => ({
    status,
    count: cells.filter((cell) => cell.status === status).length,
  }));
  const words = counts
    .filter(({ count }) => count > 0)
    .map(({ status, count }) => `${count} ${status === 'works' && count > 1 ? 'work' : status}`);
  return words.length === 0 ? 'no cells' : words.join(', ');
}

/** One line for each kernel, one for each cell that failed and each filesystem whose features it died of, and one for all that is missing here. */
export function summaryText(matrix: Matrix): string {
  const lines = matrix.kernels.flatMap((kernel) => {
    const release = kernel.release === '' ? '' : ` (${kernel.release})`;
    const failed = kernel.cells.filter(({ status }) => status === 'failed');
    return [
      `${kernel.name}${release}: ${countsText(kernel.cells)}`,
      ...(kernel.error === null ? [] : [`  ${kernel.error}`]),
      ...failed.map(
        ({ driver, backing, reasons }) => `  FAILED ${driver} on ${backing}: ${reasons[0] ?? ''}`,
      ),
      ...deathsOf(kernel).map(
        ({ backing, reason }) => `  FAILED features of ${backing ?? 'the kernel'}: ${reason}`,
      ),
      ...[...new Set(kernel.cells.filter(isOfLab).flatMap(({ reasons }) => reasons))].map(
        (reason) => `  ${reason}`,
      ),
    ];
  });
  // Reasons are text of kernels and programs, and somebody else's file may hold anything.
  return `${lines.map(printablePath).join('\n')}\n`;
}

/** Whether something failed: a cell, a kernel as a whole, or one that died while its features were tried. */
export function hasFailures(matrix: Matrix): boolean {
  return matrix.kernels.some(
    ({ error, cells, features }) =>
      error !== null ||
      cells.some(({ status }) => status === 'failed') ||
      features.some(({ died }) => died === true),
  );
}

/** Whether a cell was not run for want of something on this machine, which says nothing of the kernel. */
export function isOfLab({ status, unavailableOf }: Cell): boolean {
  return status === 'unavailable' && unavailableOf === 'lab';
}

/** One feature for each filesystem on which the kernel died of them. */
function deathsOf({ features }: KernelResult): Feature[] {
  const deaths = features.filter(({ died }) => died === true);
  return deaths.filter(({ backing }, index) => deaths.findIndex((one) => one.backing === backing) === index);
}
