/** A matrix in a few lines. */
import { type Cell, type Matrix, STATUSES } from './schema.ts';

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

/** One line for each kernel, and one for each cell that failed. */
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
    ];
  });
  return `${lines.join('\n')}\n`;
}

/** Whether something failed: a cell, or a kernel as a whole. */
export function hasFailures(matrix: Matrix): boolean {
  return matrix.kernels.some(
    ({ error, cells }) => error !== null || cells.some(({ status }) => status === 'failed'),
  );
}
