/** What people read: one table for each comparison, with the spread, the ratios and the limits. */
import type { Comparison, Unit, Verdict } from './comparison.ts';

const columns = ['median', 'p10', 'p90', 'min', 'max', 'runs'];
const width = 11;

/** The tables of all comparisons. */
export function formatReport(comparisons: readonly Comparison[]): string {
  return comparisons.map(formatComparison).join('\n');
}

/** One comparison: its series, then each claim with its limit and whether it was kept. */
export function formatComparison({ title, unit, series, verdicts, notes }: Comparison): string {
  const names = [...series.map(({ name }) => name), ...verdicts.map(label)];
  const first = Math.max(24, ...names.map((name) => name.length + 2));
  const head = `${''.padEnd(first)}${columns.map((name) => name.padStart(width)).join('')}`;
  const rows = series.map(({ name, summary }) => {
    const { median, p10, p90, min, max, runs } = summary;
    const figures = [median, p10, p90, min, max];
    const cells = [...figures.map((value) => formatValue(value, unit)), String(runs)];
    return `${`  ${name}`.padEnd(first)}${cells.map((cell) => cell.padStart(width)).join('')}`;
  });
  const claims = verdicts.map(
    (verdict) => `${`  ${label(verdict)}`.padEnd(first)}${judgement(verdict, unit)}`,
  );
  return [title, ...notes.map((note) => `  (${note})`), head, ...rows, ...claims, ''].join('\n');
}

/** Every limit in one line each, for the end of a long report. */
export function formatLimits(comparisons: readonly Comparison[]): string {
  const limited = comparisons.flatMap(({ title, unit, verdicts }) =>
    verdicts
      .filter(({ limit }) => limit !== undefined)
      .map((verdict) => ({ what: `${title}: ${label(verdict)}`, said: judgement(verdict, unit) })),
  );
  const first = Math.max(0, ...limited.map(({ what }) => what.length));
  return limited.map(({ what, said }) => `${what.padEnd(first)}${said}\n`).join('');
}

/** A figure with its unit, in as many digits as mean something. */
export function formatValue(value: number, unit: Unit): string {
  if (unit === 'processes') return value.toFixed(0);
  return `${value.toFixed(value < 99.95 ? 1 : 0)} ${unit}`;
}

function label({ series, baseline }: Verdict): string {
  return baseline === undefined ? series : `${series} / ${baseline}`;
}

function judgement({ value, baseline, limit, kept }: Verdict, unit: Unit): string {
  const figure = (number: number) => (baseline === undefined ? formatValue(number, unit) : number.toFixed(2));
  const shown = figure(value).padStart(width);
  return limit === undefined ? shown : `${shown}  limit ${figure(limit)}: ${kept ? 'kept' : 'MISSED'}`;
}
