/** Figures in words: with their unit, in as many digits as mean something, with their spread. */
import type { Subject, Unit, Workload } from '../schema.ts';
import type { Estimate } from '../statistics.ts';
import type { Point } from './figures.ts';

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Three digits, and all digits before the point. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (!(size < 1e15)) return value.toExponential(2);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1 || value === 0) return value.toFixed(value === 0 ? 0 : 2);
  return size < 0.001 ? value.toExponential(1) : value.toPrecision(2);
}

/** `64 MiB`. */
export function bytesText(bytes: number): string {
  const size = Math.abs(bytes);
  const power = size < 1024 ? 0 : Math.min(BINARY.length - 1, Math.floor(Math.log2(size) / 10));
  const scaled = bytes / 1024 ** power;
  return `${Number.isInteger(scaled) ? scaled : digits(scaled)} ${BINARY[power]}`;
}

/** A value with its unit: `1.85 s`, `231 MiB/s`, `12.3k ops/s`. */
export function valueText(value: number, unit: Unit): string {
  switch (unit) {
    case 'bytes':
      return bytesText(value);
    case 'bytes/s':
      return `${bytesText(value)}/s`;
    case 'ms':
      return Math.abs(value) >= 10_000 ? `${digits(value / 1000)} s` : timeText(value);
    case 'ops/s':
      return `${countText(value)} ops/s`;
    case 'count':
      return countText(value);
    case 'ratio':
      return digits(value);
  }
}

function timeText(value: number): string {
  return Math.abs(value) < 1 && value !== 0 ? `${digits(value * 1000)} µs` : `${digits(value)} ms`;
}

function countText(value: number): string {
  if (Math.abs(value) >= 1e7) return `${digits(value / 1e6)}M`;
  if (Math.abs(value) >= 10_000) return `${digits(value / 1000)}k`;
  return digits(value);
}

/** `12.3 ms (11.9 to 12.8)`. */
export function figureText(estimate: Estimate, unit: Unit): string {
  return `${valueText(estimate.value, unit)} (${rangeText(estimate, unit)})`;
}

/** `11.9 to 12.8`, behind a value of the same unit; of another one with it: `990 µs to 1.10 ms`. */
export function rangeText(estimate: Estimate, unit: Unit): string {
  if (isOne(estimate)) return 'one value';
  const { value, low, high } = estimate;
  const [first = '', ...ends] = [value, low, high].map((one) => valueText(one, unit));
  const unitOf = (text: string): string => / .*$/.exec(text)?.[0] ?? '';
  const isSame = ends.every((end) => unitOf(end) === unitOf(first));
  return ends.map((end) => (isSame ? end.replace(/ .*$/, '') : end)).join(' to ');
}

/** Whether it is of one value, or of one on each side, so that nothing is known of its spread. */
export function isOne({ low, high, confidence }: Estimate): boolean {
  return confidence === 0 && low === high;
}

/** A factor: two digits and a half, which is what its interval ever carries. */
export function factorText(factor: number): string {
  if (factor >= 100) return factor.toFixed(0);
  return factor >= 10 ? factor.toFixed(1) : factor.toFixed(factor < 0.095 ? 3 : 2);
}

/** `(1.6 to 2.0)`. */
export function spreadText(estimate: Estimate): string {
  return `(${factorRangeText(estimate)})`;
}

function factorRangeText(estimate: Estimate): string {
  if (isOne(estimate)) return 'one value each';
  return `${factorText(estimate.low)} to ${factorText(estimate.high)}`;
}

/** `1.8 times, 1.6 to 2.0`: in brackets already. */
export function timesWithin(ratio: Estimate): string {
  return `${factorText(ratio.value)} times, ${factorRangeText(ratio)}`;
}

/** `1.8 times (1.6 to 2.0)`. */
export function timesText(ratio: Estimate): string {
  return `${factorText(ratio.value)} times ${spreadText(ratio)}`;
}

/** The value of a scale: scales of bytes in units of bytes, others as numbers. */
export function scaleText(scale: string, value: number): string {
  return ['size', 'bytes', 'lower'].includes(scale) ? bytesText(value) : String(value);
}

/** What the values of a scale are, for an axis or before a value. */
export function scaleTitle(scale: string): string {
  const titles: Readonly<Record<string, string>> = {
    size: 'size of the file',
    bytes: 'bytes of each file',
    count: 'files',
    lower: 'size of the file',
    depth: 'layers below the top',
    layers: 'layers',
    files: 'files in the layer',
    containers: 'containers',
    parallel: 'processes at once',
  };
  return titles[scale] ?? scale;
}

/** A point: `size of the file 64 MiB, layers below the top 10`. Empty for one without scales. */
export function pointText(point: Point): string {
  return Object.entries(point)
    .map(([scale, value]) => `${scaleTitle(scale)} ${scaleText(scale, value)}`)
    .join(', ');
}

/** Names of subjects, as short as they are clear among all subjects of a result. */
export function subjectNames(subjects: readonly Subject[]): (subject: Subject) => string {
  const counts = new Map<string, number>();
  // Those of other engines have names of their own.
  for (const { driver, kind } of subjects)
    if (driver !== null && kind === 'driver') counts.set(driver, (counts.get(driver) ?? 0) + 1);
  return ({ id, kind, driver, standIn }) => {
    const name = kind === 'driver' && driver !== null && counts.get(driver) === 1 ? driver : id;
    return standIn === null ? name : `${name} (${standIn})`;
  };
}

/** Text of others on one line, without what a terminal would obey. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, ' ');
}

/** `a`, `a and b`, `a, b and c`. */
export function listText(words: readonly string[], last = 'and'): string {
  const before = words.slice(0, -1);
  const end = words.at(-1) ?? '';
  return before.length === 0 ? end : `${before.join(', ')} ${last} ${end}`;
}

/** The word for what a workload's better value is. */
export function betterWord({ unit, better }: Workload): string {
  if (better === 'more') return 'more is better';
  return unit === 'ms' ? 'shorter is better' : 'less is better';
}
