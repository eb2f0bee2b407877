/** The JSON file of a result, in and out. */
import * as z from 'zod/mini';
import { errorMessage, TsengineError } from '../../src/errors.ts';
import { textUpTo } from '../../src/lab/matrix/matrix-file.ts';
import { makeDirectories, writeFileAtomic } from '../../src/linux/files.ts';
import { printablePath } from '../../src/linux/path.ts';
import { once } from '../../src/once.ts';
import { schemaMessage } from '../../src/schema-message.ts';
import { pointKey } from './report/figures.ts';
import { type FileResult, RESULT_VERSION, type Result, type Sample, type Series, schemas } from './schema.ts';

/** The name of a result in the folder of a run. */
export const RESULT_NAME = 'result.json';

/** Bytes. A full run of all drivers has ten million. */
const LARGEST = 256 * 1024 * 1024;

/** So many digits of a sample are kept, and of its time those up to a tenth of a millisecond: clocks and counters carry no more. */
const DIGITS = 6;

/** The file's text: a line for each series, so that two files can be laid side by side; of series without samples one for each point. */
export function resultText({ series, ...rest }: Result): string {
  const head = JSON.stringify(rest, undefined, 1).slice(0, -2);
  const list = (lines: readonly string[]): string =>
    lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n ]`;
  const whole = series.filter(({ thinned }) => thinned === undefined);
  const lines = whole.map((one) => JSON.stringify({ ...one, samples: one.samples.map(rounded) }));
  const thinned = whole.length === series.length ? '' : `,\n "thinned": ${list(thinnedLines(series))}`;
  return `${head},\n "series": ${list(lines)}${thinned}\n}\n`;
}

function thinnedLines(series: readonly Series[]): string[] {
  const points = new Map<
    string,
    { workload: string; point: Series['point']; subjects: Record<string, object> }
  >();
  for (const { subject, workload, point, thinned, error } of series) {
    if (thinned === undefined) continue;
    const key = `${workload} ${pointKey(point)}`;
    const found = points.get(key) ?? { workload, point, subjects: {} };
    points.set(key, found);
    found.subjects[subject] = { ...thinned, ...(error === undefined ? {} : { error }) };
  }
  return [...points.values()].map((one) => JSON.stringify(one));
}

/** The series of a file, with or without samples. */
function expanded({ thinned = [], series, ...rest }: FileResult): Result {
  const more = thinned.flatMap(({ workload, point, subjects }) =>
    Object.entries(subjects).map(([subject, { error, ...values }]): Series => {
      const failed = error === undefined ? {} : { error };
      return { subject, workload, point, samples: [], thinned: values, ...failed };
    }),
  );
  return { ...rest, series: [...series, ...more] };
}

function rounded({ value, at, cpu, ...rest }: Sample): Sample {
  const tenths = (number: number): number => Math.round(number * 10) / 10;
  return {
    value: Number(value.toPrecision(DIGITS)),
    at: tenths(at),
    ...(cpu === undefined ? {} : { cpu: tenths(cpu) }),
    ...rest,
  };
}

/** Writes `result.json` into a folder, which is made, in one step. Gives its path. */
export function writeResult(result: Result, folder: string): string {
  const path = `${folder}/${RESULT_NAME}`;
  makeDirectories(folder);
  writeFileAtomic(path, resultText(result), { mode: 0o644 });
  return path;
}

/** A kind of file: its version, its form, and what it is called in errors. */
export interface ResultFormat<T> {
  readonly version: number;
  readonly schema: z.ZodMiniType<T>;
  /** 'a result of tsengine bench'. */
  readonly what: string;
  /** What is to be given instead of a file of another form. */
  readonly hint: string;
}

const FORMAT = once(
  (): ResultFormat<FileResult> => ({
    version: RESULT_VERSION,
    schema: schemas().result,
    what: 'a result of tsengine bench',
    hint: `give the ${RESULT_NAME} of a run`,
  }),
);

/** Reads and checks a result. The error is one line that names the file, and the field or the reason. */
export function readResult(path: string): Result {
  return withTrueNames(expanded(readVersioned(path, FORMAT())), printablePath(path));
}

/** Checks what came out of a file; `path` is what an error names. */
export function parseResult(value: unknown, path: string): Result {
  return withTrueNames(expanded(parseVersioned(value, path, FORMAT())), printablePath(path));
}

/** Reads a file of a format. The error is one line that names the file, and the field or the reason. */
export function readVersioned<T>(path: string, format: ResultFormat<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(textUpTo(path, LARGEST));
  } catch (error) {
    const why =
      error instanceof SyntaxError ? `it is damaged or no JSON: ${error.message}` : errorMessage(error);
    throw new TsengineError(
      'InvalidParameter',
      `cannot read ${format.what} from ${printablePath(path)}: ${printablePath(why)}`,
      { cause: error },
    );
  }
  return parseVersioned(value, path, format);
}

/** Checks what came out of a file of a format; `path` is what an error names. */
export function parseVersioned<T>(value: unknown, path: string, format: ResultFormat<T>): T {
  const file = printablePath(path);
  const version =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version !== format.version) {
    const way = version > format.version ? 'use a newer tsengine' : 'measure again';
    throw new TsengineError(
      'InvalidParameter',
      `${file} has version ${version} of the format, and this tsengine reads ${format.version}: ${way}`,
    );
  }
  const parsed = z.safeParse(format.schema, value);
  if (parsed.success) return parsed.data;
  throw new TsengineError(
    'InvalidParameter',
    `${file} is no ${format.what.replace(/^an? /, '')}: ${schemaMessage(parsed.error)}; ${format.hint}`,
  );
}

/** What is named must be there, and nothing twice: one of the two would hide the other. */
function withTrueNames(result: Result, file: string): Result {
  const wrong = (what: string): never => {
    throw new TsengineError(
      'InvalidParameter',
      `${file} is no result of tsengine bench: ${printablePath(what)}`,
    );
  };
  const unique = (what: string, ids: readonly string[]): ReadonlySet<string> => {
    const seen = new Set<string>();
    for (const id of ids) {
      if (seen.has(id)) wrong(`it has the ${what} ${id} twice`);
      seen.add(id);
    }
    return seen;
  };
  const machines = unique(
    'machine',
    result.machines.map(({ id }) => id),
  );
  const subjects = unique(
    'subject',
    result.subjects.map(({ id }) => id),
  );
  const workloads = unique(
    'workload',
    result.workloads.map(({ id }) => id),
  );
  for (const { id, machine, baseline, failed } of result.subjects) {
    // One that was never made may be of a machine that never started.
    if (!machines.has(machine) && failed === null)
      wrong(`the subject ${id} names the machine ${machine}, which it lacks`);
    if (baseline !== null && !subjects.has(baseline))
      wrong(`the subject ${id} names the baseline ${baseline}, which it lacks`);
  }
  unique(
    'series',
    result.series.map(({ subject, workload, point, thinned }) => {
      if (!subjects.has(subject)) wrong(`a series names the subject ${subject}, which it lacks`);
      if (!workloads.has(workload)) wrong(`a series names the workload ${workload}, which it lacks`);
      if (thinned !== undefined && thinned.values.length !== thinned.turns.length)
        wrong(`a series of ${subject} and ${workload} has not as many turns as values`);
      return `${subject} ${workload} ${pointKey(point)}`;
    }),
  );
  return result;
}
