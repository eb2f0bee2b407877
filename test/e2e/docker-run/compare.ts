/** Runs a row on both engines and compares. */
import assert from 'node:assert/strict';
import { isListed } from '../../helpers/differences.ts';
import { testRuntime } from '../../helpers/scope.ts';
import { type Normal, Normaliser } from './normalise.ts';
import { makeFiles, type Pair, runStep, type Side, type Step } from './pair.ts';

/** One combination of flags: command lines that are run in order. */
export interface Row {
  readonly name: string;
  readonly steps: readonly (string | Step)[];
  /** Files in the row's own folder, `$(dir)`; a name that ends in a slash is a folder. */
  readonly files?: Readonly<Record<string, string>>;
  readonly listed?: Listed;
  /** Its command must do its work: a row in which both fail alike would tell nothing. */
  readonly succeeds?: boolean;
}

/** A difference that docs/differences.md lists. */
interface Listed {
  /** The words of its line there. */
  readonly reason: string;
  /** What lines of the comparison it explains: each pattern at least one. */
  readonly only: readonly RegExp[];
}

/** What Docker does otherwise with crun below it than with runc, and we do not. */
const WITH_CRUN: Listed = {
  reason: 'Docker above crun',
  only: [
    /^- identity: oom: -998$/,
    /^\+ identity: oom: 0$/,
    /^- (?:step \d+ )?code: 125$/,
    /^\+ (?:step \d+ )?code: 12[67]$/,
  ],
};

/** Rows that belong together. */
export interface Theme {
  readonly name: string;
  readonly rows: readonly Row[];
}

/** A row that runs the probe with these flags. */
export function probe(
  flags: string,
  more: { image?: string; words?: string } & Omit<Partial<Row>, 'steps'> = {},
): Row {
  const { image = 'probe', words = '', ...rest } = more;
  const shown = [flags, ...(image === 'probe' ? [] : [image]), words].filter((word) => word !== '').join(' ');
  return {
    name: shown === '' ? 'no flags' : shown,
    steps: [`run --rm ${flags} ${image} ${words}`],
    succeeds: true,
    ...rest,
  };
}

/** Rows of one command line each, named by it. */
export function lines(...all: readonly string[]): Row[] {
  return all.map((line) => ({ name: line, steps: [line] }));
}

/** The long names of flags that no row has. */
export function unusedFlags(themes: readonly Theme[], help: string): string[] {
  const rows = themes.flatMap((theme) => theme.rows);
  const words = rows.flatMap((row) =>
    row.steps.flatMap((step) => (typeof step === 'string' ? step : step.line).split(/[ =]/)),
  );
  const flags = [...help.matchAll(/^ +(?:(-\w), )?(--[\w-]+)/gm)];
  return flags
    .filter(([, short = '', long = '']) => !words.includes(short) && !words.includes(long))
    .map(([, , long = '']) => long);
}

/**
 * Fails where the two differ in exit code, standard output or standard error of any step. Once more where they do: Docker
 * loses output and mixes lines now and then on a busy machine, and then says something else the second time. We must
 * not: ours must be the same both times.
 */
export async function checkRow(pair: Pair, row: Row): Promise<void> {
  const { listed } = row;
  assert.ok(
    isListed(WITH_CRUN.reason) && (listed === undefined || isListed(listed.reason)),
    'docs/differences.md lists it',
  );
  const first = await compareOnce(pair, row, 'first');
  if (first.fault === undefined) return;
  const second = await compareOnce(pair, row, 'second');
  const isOurs = differences(first.ours, second.ours).length > 0;
  assert.ok(second.fault === undefined && !isOurs, first.fault);
}

/** What is wrong with a row, if anything, and what tsengine said. */
interface Comparison {
  readonly fault: string | undefined;
  readonly ours: readonly string[];
}

async function compareOnce(pair: Pair, row: Row, turn: string): Promise<Comparison> {
  const [theirs, our] = await Promise.all([
    answers(pair, pair.docker, row, turn),
    answers(pair, pair.tsengine, row, turn),
  ]);
  const ours = flat(our);
  const [only] = theirs;
  if (row.succeeds === true && (theirs.length !== 1 || only?.code !== 0))
    return { fault: `Docker ended with ${only?.code}: ${only?.stderr}`, ours };
  const { listed } = row;
  const all = differences(flat(theirs), ours);
  const gone = listed?.only.filter((pattern) => !all.some((line) => pattern.test(line))) ?? [];
  if (gone.length > 0) return { fault: `no longer differs as listed: ${gone.join(' ')}`, ours };
  const explained = [...(listed?.only ?? []), ...(testRuntime() === 'crun' ? WITH_CRUN.only : [])];
  const found = all.filter((line) => !explained.some((pattern) => pattern.test(line)));
  return { fault: found.length === 0 ? undefined : `- docker, + tsengine\n${found.join('\n')}`, ours };
}

async function answers(pair: Pair, side: Side, row: Row, turn: string): Promise<readonly Normal[]> {
  // Equally long on both sides, and without blanks: paths stand in tables and in messages.
  const folder = `${pair.files}/${side.program.slice(0, 6)}/${turn}`;
  const dir = `${folder}/${row.name.replaceAll(/\W+/g, '-').slice(0, 60)}`;
  makeFiles(dir, row.files ?? {});
  const values = new Map([['dir', dir]]);
  const normaliser = new Normaliser(side, dir, pair.hostNetwork);
  const all: Normal[] = [];
  for (const step of row.steps) {
    const ended = await runStep(side, typeof step === 'string' ? { line: step } : step, values);
    all.push(...ended.map((answer) => normaliser.answer(answer)));
  }
  return all;
}

/** All lines of all answers, each with where it stands. */
function flat(all: readonly Normal[]): string[] {
  return all.flatMap(({ code, stdout, stderr }, index) => {
    const at = all.length === 1 ? '' : `step ${index + 1} `;
    const out = typeof stdout === 'string' ? { stdout: stdout.split('\n') } : stdout;
    const parts = Object.entries({ code: [code], ...out, stderr: stderr.split('\n') });
    return parts.flatMap(([part, lines]) => lines.map((line) => `${at}${part}: ${line}`));
  });
}

/** The lines that only one side has; where both have the same in another order, the first that stands elsewhere. */
function differences(theirs: readonly string[], ours: readonly string[]): string[] {
  const rest = [...ours];
  const found: string[] = [];
  for (const line of theirs) {
    const at = rest.indexOf(line);
    if (at < 0) found.push(`- ${line}`);
    else rest.splice(at, 1);
  }
  found.push(...rest.map((line) => `+ ${line}`));
  if (found.length > 0) return found;
  const moved = theirs.findIndex((line, index) => line !== ours[index]);
  return moved < 0 ? [] : ['in another order:', `- ${theirs[moved]}`, `+ ${ours[moved]}`];
}
