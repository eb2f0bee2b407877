/** A matrix as Markdown: what a repository or an issue shows. */
import { FEATURE_NAMES } from './features.ts';
import { collectReasons, type Reasons } from './reasons.ts';
import { BACKINGS, type Backing, type Cell, type Feature, type KernelResult, type Matrix } from './schema.ts';
import { countsText } from './summary.ts';

/** The text of a table's cell: nothing in it ends the cell or the line, or is markup. */
export function escapeMarkdown(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]<>|#~&]/g, (mark) => `\\${mark}`);
}

/** The whole document. */
export function matrixMarkdown(matrix: Matrix): string {
  const reasons = collectReasons(matrix.kernels);
  const { version, commit } = matrix.tsengine;
  const parts = [
    '# Storage drivers on kernels and filesystems',
    `Made ${matrix.made} with tsengine ${version}${commit === '' ? '' : ` (${commit})`}, ${
      matrix.slow ? 'all checks' : 'the quick checks'
    }, by:`,
    `    ${matrix.command.replaceAll(/\s+/g, ' ')}`,
    '**works**: every check passed. **limited**: they passed, and the driver says what it does without. **refused**: the ' +
      'driver says why it cannot serve. **failed**: a check failed. **unavailable**: the filesystem cannot be had there. ' +
      'Behind it the checks passed of those that were run, and the number of the reason. Of features **?** could not be ' +
      'tried, and of **died** the kernel did.',
    ...matrix.kernels.flatMap((kernel) => kernelPart(kernel, reasons)),
    ...reasonPart(reasons),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** A table of Markdown; the texts are Markdown already. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The filesystems that occur, in the order of the columns. */
export function backingsOf(kernels: readonly KernelResult[]): Backing[] {
  return BACKINGS.filter((backing) =>
    kernels.some(({ cells, features }) => [...cells, ...features].some((one) => one.backing === backing)),
  );
}

/** The drivers that occur, in the order of the first kernel that has them. */
export function driversOf(kernels: readonly KernelResult[]): string[] {
  return [...new Set(kernels.flatMap(({ cells }) => cells.map(({ driver }) => driver)))];
}

function kernelPart(kernel: KernelResult, reasons: Reasons): string[] {
  const { name, release, error, bootSeconds, seconds, cells, features } = kernel;
  const boot = bootSeconds === null ? '' : `, booted in ${bootSeconds} s`;
  const title = `## ${escapeMarkdown(name)}${release === '' ? '' : `: ${escapeMarkdown(release)}`}`;
  const parts = [title, `${countsText(cells)}${boot}, ${seconds} s of checks.`];
  if (error !== null) parts.push(`**It did not run to the end:** ${escapeMarkdown(error)}`);
  const backings = backingsOf([kernel]);
  const cellAt = (driver: string, backing: Backing): string => {
    const cell = cells.find((one) => one.driver === driver && one.backing === backing);
    return cell === undefined ? '' : cellText(cell, reasons.numbers(cell));
  };
  const rows = driversOf([kernel]).map((driver) => [
    escapeMarkdown(driver),
    ...backings.map((backing) => cellAt(driver, backing)),
  ]);
  if (rows.length > 0) parts.push(table(['', ...backings], rows));
  if (features.length > 0) parts.push(featureTable(features, backings));
  return parts;
}

function cellText({ status, tests }: Cell, numbers: readonly number[]): string {
  const run = tests.passed + tests.failed;
  const word = status === 'failed' ? '**failed**' : status;
  return [word, ...(run === 0 ? [] : [`${tests.passed}/${run}`]), ...numbers.map((number) => `[${number}]`)]
    .join(' ')
    .replaceAll('[', '\\[');
}

function featureTable(features: readonly Feature[], backings: readonly Backing[]): string {
  const answer = (name: string, backing: Backing | null): string => {
    const found = features.find((one) => one.name === name && one.backing === backing);
    if (found === undefined) return '';
    if (found.died === true) return '**died**';
    return found.answer === 'unknown' ? '?' : found.answer;
  };
  const rows = namesOf(features).map((name) => [
    escapeMarkdown(name),
    answer(name, null),
    ...backings.map((backing) => answer(name, backing)),
  ]);
  return table(['Kernel feature', 'kernel', ...backings], rows);
}

/** The features that occur, those that are known here first and in their order. */
export function namesOf(features: readonly Feature[]): string[] {
  const there = new Set(features.map(({ name }) => name));
  return [
    ...FEATURE_NAMES.filter((name) => there.has(name)),
    ...[...there].filter((name) => !FEATURE_NAMES.includes(name)),
  ];
}

function reasonPart(reasons: Reasons): string[] {
  if (reasons.list.length === 0) return [];
  const lines = reasons.list.map(
    ({ number, status, text, where }) =>
      `${number}. ${status}: ${escapeMarkdown(text)} — ${where.map(escapeMarkdown).join('; ')}`,
  );
  return ['## Reasons', lines.join('\n')];
}
