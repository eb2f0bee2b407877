/** The JSON file of a result, in and out. */
import * as z from 'zod/mini';
import { schemaMessage } from '../../src/engine/json.ts';
import { errorMessage, TsengineError } from '../../src/errors.ts';
import { textUpTo } from '../../src/lab/matrix/matrix-file.ts';
import { makeDirectories, writeFileAtomic } from '../../src/linux/files.ts';
import { printablePath } from '../../src/linux/path.ts';
import { once } from '../../src/once.ts';
import { pointKey } from './report/figures.ts';
import { RESULT_VERSION, type Result, schemas } from './schema.ts';

/** The name of a result in the folder of a run. */
export const RESULT_NAME = 'result.json';

/** Bytes. A full run of ten subjects has ten million. */
const LARGEST = 256 * 1024 * 1024;

/** The file's text. */
export function resultText(result: Result): string {
  return `${JSON.stringify(result, undefined, 1)}\n`;
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
  (): ResultFormat<Result> => ({
    version: RESULT_VERSION,
    schema: schemas().result,
    what: 'a result of tsengine bench',
    hint: `give the ${RESULT_NAME} of a run`,
  }),
);

/** Reads and checks a result. The error is one line that names the file, and the field or the reason. */
export function readResult(path: string): Result {
  return withTrueNames(readVersioned(path, FORMAT()), printablePath(path));
}

/** Checks what came out of a file; `path` is what an error names. */
export function parseResult(value: unknown, path: string): Result {
  return withTrueNames(parseVersioned(value, path, FORMAT()), printablePath(path));
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
    result.series.map(({ subject, workload, point }) => {
      if (!subjects.has(subject)) wrong(`a series names the subject ${subject}, which it lacks`);
      if (!workloads.has(workload)) wrong(`a series names the workload ${workload}, which it lacks`);
      return `${subject} ${workload} ${pointKey(point)}`;
    }),
  );
  return result;
}
