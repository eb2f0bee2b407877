/** What people read: one table for each comparison, with the intervals, the ratios and the limits. */
import { conclude, type Figure, type Verdict } from './comparison.ts';
import type { Comparison, Missing } from './schema.ts';
import { bytesText, factorText, oneLine, spreadText, valueText } from './suite/report/wording.ts';
import type { Machine, Unit } from './suite/schema.ts';

const columns = ['median', 'from', 'to', 'least', 'greatest', 'runs'];
const width = 11;

/** The machine and the programs, to stand above the figures. */
export function formatMachine(machine: Machine): string {
  const { kernel, processors, processor, memory, loadBefore, disk, versions } = machine;
  const programs = Object.entries(versions).map(([name, version]) => `  ${name.padEnd(10)}${version}`);
  const on = [disk.filesystem, disk.model, disk.device].filter((word) => word !== undefined);
  return [
    `Linux ${kernel}, ${processors} × ${processor}, ${bytesText(memory)}, load before ${loadBefore.toFixed(2)}`,
    `stores with direct I/O in files on ${on.join(', ')}`,
    ...programs,
    '',
  ].join('\n');
}

/** One comparison: its series with the 95 % intervals of their medians, then each claim with its limit and whether it was kept. */
export function formatComparison(comparison: Comparison): string {
  const { title, unit, notes, machine } = comparison;
  const { figures, verdicts } = conclude(comparison);
  const names = [...figures.map(({ name }) => name), ...verdicts.map(label)];
  const first = Math.max(24, ...names.map((name) => name.length + 2));
  const head = `${''.padEnd(first)}${columns.map((name) => name.padStart(width)).join('')}`;
  const rows = figures.map((figure) => `${`  ${figure.name}`.padEnd(first)}${cellsOf(figure, unit)}`);
  const claims = verdicts.map(
    (verdict) => `${`  ${label(verdict)}`.padEnd(first)}${judgement(verdict, unit)}`,
  );
  const told = [...notes, ...(machine === 'host' ? [] : [`in a machine with ${machine}`])];
  return [title, ...told.map((note) => `  (${note})`), head, ...rows, ...claims, ''].join('\n');
}

function cellsOf({ median, least, greatest, runs, disturbed, isFew }: Figure, unit: Unit): string {
  const values = [median.value, median.low, median.high, least, greatest];
  const cells = [...values.map((value) => valueText(value, unit)), `${runs}${isFew ? '*' : ''}`];
  const after = disturbed === 0 ? '' : `  ~${disturbed} disturbed`;
  return `${cells.map((cell) => cell.padStart(width)).join('')}${after}`;
}

/** Something that was not measured, in one line. */
export function formatMissing({ workload, series, reason }: Missing): string {
  const who = series === null ? workload : `${workload}: ${series}`;
  return `${who}: ${series === null ? 'could not be' : 'not'} measured: ${oneLine(reason)}\n`;
}

/** Every limit in one line each, for the end of a long report. */
export function formatLimits(comparisons: readonly Comparison[]): string {
  const limited = comparisons.flatMap((comparison) =>
    conclude(comparison)
      .verdicts.filter(({ limit }) => limit !== undefined)
      .map((verdict) => ({
        what: `${comparison.title}: ${label(verdict)}`,
        said: judgement(verdict, comparison.unit),
      })),
  );
  const first = Math.max(0, ...limited.map(({ what }) => what.length));
  return limited.map(({ what, said }) => `${what.padEnd(first)}${said}\n`).join('');
}

function label({ series, baseline }: Verdict): string {
  return baseline === undefined ? series : `${series} / ${baseline}`;
}

function judgement({ value, ratio, limit, kept, isOpen }: Verdict, unit: Unit): string {
  const figure = (number: number) => (ratio === undefined ? valueText(number, unit) : factorText(number));
  const spread = ratio === undefined ? '' : ` ${spreadText(ratio)}`;
  const shown = `${figure(value).padStart(width)}${spread}`;
  if (limit === undefined) return shown;
  return `${shown}  limit ${figure(limit)}: ${kept ? 'kept' : 'MISSED'}${isOpen ? ', within the interval' : ''}`;
}
