/**
 * What a run of the repository benchmark found, as its JSON file has it: `npm run bench -- --out FILE`. Machines and samples are
 * those of `tsengine bench` (suite/schema.ts), and so are the rules: a newer version of the file is refused, a field that is added
 * within a version is optional. Nothing that can be worked out stands in it: medians, ratios and verdicts follow from the samples.
 */
import * as z from 'zod/mini';
import { once } from '../src/once.ts';
import { type ResultFormat, readVersioned } from './suite/result-file.ts';
import { schemas, UNITS } from './suite/schema.ts';

/** The version of the file. */
export const REPOSITORY_VERSION = 1;

const makeSchemas = once(() => {
  const { machine, sample } = schemas();
  const count = z.int().check(z.nonnegative());
  const claim = z.object({
    series: z.string(),
    baseline: z.exactOptional(z.string()),
    limit: z.exactOptional(z.number()),
  });
  const comparison = z.object({
    /** Unique on its machine: `run`. */
    name: z.string(),
    title: z.string(),
    unit: z.enum(UNITS),
    /** The id of the machine. */
    machine: z.string(),
    series: z.array(z.object({ name: z.string(), samples: z.array(sample) })),
    claims: z.array(claim),
    notes: z.array(z.string()),
  });
  const missing = z.object({
    workload: z.string(),
    /** Who was not measured; null when the workload failed as a whole. */
    series: z.nullable(z.string()),
    reason: z.string(),
  });
  const result = z.object({
    version: z.int(),
    benchmark: z.literal('repository'),
    /** The version that was measured, and the commit that it was built of. */
    tsengine: z.string(),
    commit: z.string(),
    /** Measures the same again. */
    command: z.string(),
    /** In ISO 8601. */
    started: z.string(),
    seconds: z.number().check(z.nonnegative()),
    /** Of the order of the contestants. */
    seed: count,
    runs: count,
    /** Only tried out, with smaller lists and layers: not for figures. */
    quick: z.boolean(),
    interrupted: z.boolean(),
    machines: z.array(machine),
    comparisons: z.array(comparison),
    missing: z.array(missing),
  });
  return { claim, comparison, missing, result };
});

/** The schemas of a result and of its parts. */
export const repositorySchemas = makeSchemas;

type Schemas = ReturnType<typeof makeSchemas>;

/**
 * What a series is held against: another one, as a ratio, or, without another, a limit in its own unit that its highest value
 * must keep. Without a limit the ratio is only shown.
 */
export type Claim = z.infer<Schemas['claim']>;
/** What was compared, with every sample of it. */
export type Comparison = z.infer<Schemas['comparison']>;
/** What was not measured, and why. */
export type Missing = z.infer<Schemas['missing']>;
/** A whole run. */
export type RepositoryResult = z.infer<Schemas['result']>;

/** The file, for those who read it. */
export const repositoryFormat = once(
  (): ResultFormat<RepositoryResult> => ({
    version: REPOSITORY_VERSION,
    schema: makeSchemas().result,
    what: 'a result of npm run bench',
    hint: 'give what npm run bench -- --out FILE has written',
  }),
);

/** Reads and checks a result. The error is one line that names the file, and the field or the reason. */
export function readRepositoryResult(path: string): RepositoryResult {
  return readVersioned(path, repositoryFormat());
}

/** The file's text. */
export function repositoryResultText(result: RepositoryResult): string {
  return `${JSON.stringify(result)}\n`;
}
