/**
 * What a run of the benchmark suite found, as the JSON file has it. docs/bench.schema.json is made from this
 * (scripts/bench-schema.ts).
 *
 * A newer version of the file is refused. A field that is added within a version is optional, and programs pass over fields
 * that they do not know. Times are milliseconds, sizes are bytes, rates are bytes per second where nothing else is said.
 */
import * as z from 'zod/mini';
import { once } from '../../src/once.ts';

/** The version of the file. */
export const RESULT_VERSION = 1;

/** What a subject is: a storage driver of ours, the filesystem beneath it without any, or another engine. */
export const SUBJECT_KINDS = ['driver', 'raw', 'peer'] as const;

/** How a value is counted. */
export const UNITS = ['ms', 'bytes', 'bytes/s', 'ops/s', 'count', 'ratio'] as const;

/** See `UNITS`. */
export type Unit = (typeof UNITS)[number];

/** What a run is about, in the order of the report. */
export const GROUPS = [
  'large-files',
  'small-files',
  'copy-up',
  'layers',
  'density',
  'churn',
  'parallel',
  'database',
  'harness',
] as const;

/** See `GROUPS`. */
export type Group = (typeof GROUPS)[number];

/** What may have disturbed a sample. */
export const DISTURBANCES = ['steal', 'load', 'throttled', 'swapped'] as const;

function told<T extends z.ZodMiniType>(schema: T, description: string): T {
  return schema.check(z.describe(description));
}

const makeSchemas = once(() => {
  const count = z.int().check(z.nonnegative());
  const amount = z.number().check(z.nonnegative());
  const words = z.record(z.string(), z.string());
  const machine = z.object({
    id: told(
      z.string(),
      "By which subjects name it: 'host', or the kernel of a virtual machine: 'debian:6.1'.",
    ),
    isVirtual: told(z.boolean(), 'A machine of the lab: its times mean something against each other only.'),
    kernel: told(z.string(), 'Its release.'),
    processor: told(z.string(), 'The model of its processors.'),
    processors: count,
    memory: told(count, 'Bytes.'),
    disk: told(
      words,
      'Of what the stores lie on: filesystem, device, model, scheduler, as far as they are known.',
    ),
    versions: told(words, 'Of the programs that took part, by name.'),
    loadBefore: told(amount, 'The load of one minute before the first sample.'),
  });
  const subject = z.object({
    id: told(
      z.string(),
      "Unique: 'overlay2@ext4', 'raw@ext4', 'docker-overlay2@ext4'; of a virtual machine with '+debian:6.1'.",
    ),
    kind: z.enum(SUBJECT_KINDS),
    machine: told(z.string(), 'The id of its machine.'),
    engine: told(z.string(), "'tsengine', 'docker' or 'podman'."),
    driver: told(z.nullable(z.string()), 'The storage driver; null for a filesystem without one.'),
    backing: told(z.string(), 'The filesystem or pool of its store.'),
    baseline: told(
      z.nullable(z.string()),
      'The id of the filesystem without a driver on the same kind of store; null of such a one.',
    ),
    standIn: told(
      z.nullable(z.string()),
      'What stands in for the kernel’s own here: zfs-fuse, fuse-overlayfs. Null where nothing does.',
    ),
    size: told(count, 'Bytes of the store.'),
    mkfs: told(z.string(), 'How the store was made.'),
    mountOptions: z.string(),
    storageOptions: z.array(z.string()),
    failed: told(
      z.nullable(z.string()),
      'Why it could not be measured at all, or from some time on; null when it could.',
    ),
  });
  const workload = z.object({
    id: told(z.string(), "Unique: 'copy-up.first-byte.latency'."),
    group: z.enum(GROUPS),
    title: told(z.string(), "For people: 'first write of one byte to a file of the image'."),
    unit: z.enum(UNITS),
    better: told(z.enum(['less', 'more']), 'Which values are the better ones.'),
  });
  const sample = z.object({
    value: told(z.number(), "In the workload's unit."),
    at: told(amount, 'Milliseconds from the start of the run to the end of the sample.'),
    turn: z.exactOptional(
      told(
        count,
        'A number for the turn of the subject in which it was measured: samples of one hang together.',
      ),
    ),
    cpu: z.exactOptional(
      told(amount, 'Milliseconds of processor time that the measured process and its children used.'),
    ),
    switches: z.exactOptional(told(count, 'Context switches of it.')),
    read: z.exactOptional(told(amount, 'Bytes that it had read from disks, by /proc/PID/io.')),
    written: z.exactOptional(told(amount, 'Bytes that it had written to disks, by /proc/PID/io.')),
    deviceRead: z.exactOptional(told(amount, 'Bytes read from the device of the store meanwhile.')),
    deviceWritten: z.exactOptional(
      told(amount, 'Bytes written to the device of the store meanwhile, a sync at the end included.'),
    ),
    disturbed: z.exactOptional(told(z.array(z.enum(DISTURBANCES)), 'What else went on meanwhile.')),
  });
  const series = z.object({
    subject: z.string(),
    workload: z.string(),
    point: told(
      z.record(z.string(), z.number()),
      'Where on the workload\'s scales: {"size": 1048576, "depth": 10}. Empty for a workload without any.',
    ),
    samples: z.array(sample),
    error: z.exactOptional(told(z.string(), 'Why there are no more samples, when something failed.')),
  });
  const thinned = z.object({
    values: told(z.array(z.number()), 'The median of the samples of each turn, in the order of time.'),
    turns: told(z.array(count), 'The number of the turn that each value is of.'),
    samples: z.exactOptional(
      told(count, 'How many samples there were; as many as values where it is not said.'),
    ),
    disturbed: z.exactOptional(
      told(count, 'How many of them something disturbed; none where it is not said.'),
    ),
  });
  const point = z.object({
    workload: z.string(),
    point: z.record(z.string(), z.number()),
    subjects: told(
      z.record(z.string(), z.extend(thinned, { error: z.exactOptional(z.string()) })),
      'By their ids.',
    ),
  });
  const result = z.object({
    version: told(z.int(), 'Of this format.'),
    tsengine: told(z.string(), 'The version and the commit that measured.'),
    command: told(z.string(), 'Measures the same again.'),
    started: told(z.string(), 'When, in ISO 8601.'),
    seconds: told(amount, 'How long it took.'),
    seed: told(count, 'Of the order of the samples.'),
    interrupted: told(z.boolean(), 'Whether it was ended before its time.'),
    machines: z.array(machine),
    subjects: z.array(subject),
    workloads: z.array(workload),
    series: z.array(series),
    thinned: z.exactOptional(
      told(
        z.array(point),
        'In the place of series, in a file without samples, which is to be small: what a report says is of these values.',
      ),
    ),
  });
  return { machine, subject, workload, sample, series, thinned, result };
});

/** The schemas of a result and of its parts. */
export const schemas = makeSchemas;

type Schemas = ReturnType<typeof makeSchemas>;

/** The machine on which subjects were measured. */
export type Machine = z.infer<Schemas['machine']>;
/** One of those that are compared. */
export type Subject = z.infer<Schemas['subject']>;
/** One thing that is measured, with one unit. */
export type Workload = z.infer<Schemas['workload']>;
/** One value, with what was counted beside it. */
export type Sample = z.infer<Schemas['sample']>;
/** What a series is without its samples. */
export type Thinned = z.infer<Schemas['thinned']>;
/** All samples of one subject at one point of one workload. */
export type Series = z.infer<Schemas['series']> & {
  /** In the place of the samples, where they were left out. */
  readonly thinned?: Thinned;
};
/** A whole run as a file has it. */
export type FileResult = z.infer<Schemas['result']>;
/** A whole run. Series without samples are beside the others. */
export type Result = Omit<FileResult, 'series' | 'thinned'> & { series: Series[] };
