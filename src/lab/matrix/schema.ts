/**
 * What a matrix is, as the JSON file has it. docs/matrix.schema.json is made from this (scripts/matrix-schema.ts).
 *
 * A newer version of the file is refused. A field that is added within a version is optional, and programs pass over fields
 * that they do not know.
 */
import * as z from 'zod/mini';
import { once } from '../../once.ts';

/** The version of the file. */
export const MATRIX_VERSION = 1;

/**
 * What became of a driver on a filesystem.
 *
 * - `works`: every check passed, and the driver names no limit.
 * - `limited`: every check passed, and the driver says what it does without.
 * - `refused`: the driver says why it cannot serve here.
 * - `failed`: a check failed, or the driver did something else than serve or refuse.
 * - `unavailable`: the filesystem cannot be had, which says nothing of the driver: for want of the kernel's, or of a program here.
 */
export const STATUSES = ['works', 'limited', 'refused', 'failed', 'unavailable'] as const;

/** See `STATUSES`. */
export type Status = (typeof STATUSES)[number];

/** The filesystems under a data root, in the order of the columns. */
export const BACKINGS = [
  'ext4',
  'xfs',
  'xfs-noftype',
  'btrfs',
  'zfs',
  'tmpfs',
  'squashfs',
  'nfs',
  'fuse',
] as const;

/** See `BACKINGS`. */
export type Backing = (typeof BACKINGS)[number];

/** Whether a kernel has a feature; `unknown` where it could not be tried. */
export const ANSWERS = ['yes', 'no', 'unknown'] as const;

/** See `ANSWERS`. */
export type Answer = (typeof ANSWERS)[number];

/** Who something is the fault of: the kernel, or the lab that could not try it. */
const OWNERS = ['kernel', 'lab'] as const;

function told<T extends z.ZodMiniType>(schema: T, description: string): T {
  return schema.check(z.describe(description));
}

const makeSchemas = once(() => {
  const seconds = z.number().check(z.nonnegative());
  const count = z.int().check(z.nonnegative());
  const tests = z.object({
    passed: told(count, 'Checks that passed.'),
    failed: told(count, 'Checks that failed.'),
    excused: told(count, 'Checks that say nothing about a driver of these capabilities; the log says why.'),
  });
  const cell = z.object({
    driver: told(z.string(), "The storage driver's name."),
    backing: told(z.enum(BACKINGS), 'The filesystem under the data root.'),
    status: told(
      z.enum(STATUSES),
      'works: every check passed. limited: they passed, and the driver names what it does without. refused: the driver ' +
        'says why it cannot serve. failed: a check failed. unavailable: the filesystem cannot be had here.',
    ),
    unavailableOf: z.exactOptional(
      told(
        z.enum(OWNERS),
        'Of an unavailable cell: of what the filesystem cannot be had. kernel: it does not know or mount it. lab: a program is ' +
          'not installed where it ran, which says nothing of the kernel. Of the kernel where it is not said.',
      ),
    ),
    died: z.exactOptional(
      told(
        z.boolean(),
        'Of a failed cell: the kernel died or hung under it, or its process was killed or took too long. The counts are of the ' +
          'checks that were told until then.',
      ),
    ),
    reasons: told(
      z.array(z.string()),
      "Why it is not just 'works', one line each, in the words of who said it.",
    ),
    tests,
    seconds: told(seconds, 'How long it took.'),
    log: told(z.string(), 'One line for each check, and what it said.'),
  });
  const feature = z.object({
    name: told(z.string(), 'What was tried.'),
    backing: told(
      z.nullable(z.enum(BACKINGS)),
      'On which filesystem; null for a feature of the kernel alone.',
    ),
    answer: z.enum(ANSWERS),
    reason: told(z.string(), 'What the kernel answered, where it is not yes.'),
    died: z.exactOptional(
      told(
        z.boolean(),
        'Of an unknown one: the kernel died or hung, or the process was killed, while this and the others that are marked on ' +
          'the filesystem had no answer yet. A failure.',
      ),
    ),
  });
  const kernel = z.object({
    name: told(z.string(), 'As --kernels names it.'),
    release: told(z.string(), 'uname -r; empty when it never ran.'),
    build: told(z.string(), 'uname -v.'),
    machine: told(z.string(), 'uname -m.'),
    error: told(z.nullable(z.string()), 'Why the kernel did not run, or did not run to the end.'),
    errorOf: z.exactOptional(
      told(
        z.enum(OWNERS),
        'Whose fault the error is: of the lab that could not try it (a mirror that was down, a full disk), which says nothing of the kernel; of the kernel where it is not said.',
      ),
    ),
    bootSeconds: told(
      z.nullable(seconds),
      'How long the machine took to its first command; null on the host.',
    ),
    seconds: told(seconds, 'How long its cells took together.'),
    features: z.array(feature),
    cells: z.array(cell),
  });
  const matrix = z.object({
    version: told(z.literal(MATRIX_VERSION), 'The version of this format.'),
    made: told(z.string(), 'When, in ISO 8601.'),
    tsengine: z.object({ version: z.string(), commit: told(z.string(), 'Empty where it is not known.') }),
    command: told(z.string(), 'The command that made it.'),
    slow: told(z.boolean(), 'Whether the slow checks ran as well.'),
    kernels: z.array(kernel),
  });
  return { cell, feature, kernel, matrix };
});

/** The schemas, made at the first use. */
export function schemas(): ReturnType<typeof makeSchemas> {
  return makeSchemas();
}

type Schemas = ReturnType<typeof makeSchemas>;

/** One driver on one filesystem. */
export type Cell = z.infer<Schemas['cell']>;

/** What a kernel can or cannot do. */
export type Feature = z.infer<Schemas['feature']>;

/** One kernel with all its cells. */
export type KernelResult = z.infer<Schemas['kernel']>;

/** A whole matrix. */
export type Matrix = z.infer<Schemas['matrix']>;
