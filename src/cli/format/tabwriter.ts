/**
 * Columns of text as Go's text/tabwriter lays them out. A cell ends with a tab; a column is a run of lines that have
 * that cell, so a line without it ends the column. What follows the last tab of a line belongs to no column.
 */

/** Docker's layout: cells are 10 characters wide at least, three of them blank at the end. */
const MIN_WIDTH = 10;
const PADDING = 3;

/** Lays out lines of tab-ended cells. Widths count characters (code points), as Docker's do. */
export function alignColumns(text: string): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths = lines.map((): number[] => []);
  layOut(lines, widths, 0, lines.length, 0);
  return lines
    .map((cells, row) => cells.map((cell, column) => fill(cell, widths[row]?.[column] ?? 0)).join(''))
    .join('\n');
}

/** Finds the runs of lines that have cell `column`, sets its width in them, and goes on with the next column. */
function layOut(
  lines: readonly (readonly string[])[],
  widths: readonly number[][],
  from: number,
  to: number,
  column: number,
): void {
  let start = from;
  while (start < to) {
    let end = start;
    let width = MIN_WIDTH;
    // The last cell of a line ends with no tab and counts for no column.
    for (; end < to; end += 1) {
      const cells = lines[end] ?? [];
      if (column >= cells.length - 1) break;
      width = Math.max(width, widthOf(cells[column] ?? '') + PADDING);
    }
    for (let row = start; row < end; row += 1) widths[row]?.push(width);
    if (end > start) layOut(lines, widths, start, end, column + 1);
    start = Math.max(end, start + 1);
  }
}

function fill(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(width - widthOf(cell), 0));
}

/** Code points: as many as there are units, unless some take two. */
function widthOf(cell: string): number {
  return /[\ud800-\udbff]/.test(cell) ? [...cell].length : cell.length;
}
