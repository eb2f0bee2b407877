/** The result of a run, of what it told. */
import { buildInfo } from '../../../src/version.ts';
import {
  type Machine,
  RESULT_VERSION,
  type Result,
  type Sample,
  type Series,
  type Subject,
} from '../schema.ts';
import { type Block, chosenWorkloads, type Selection } from './blocks.ts';
import type { BenchEvent } from './events.ts';
import type { SeriesName } from './jobs/job.ts';
import { seriesKey } from './series-key.ts';
import type { SubjectPlan } from './subjects.ts';

/** What the result says of the run itself. */
export interface RunFacts {
  readonly command: string;
  readonly started: string;
  readonly seconds: number;
  readonly seed: number;
  readonly interrupted: boolean;
}

/** What the run was to be. */
export interface RunPlan {
  readonly selection: Selection;
  readonly blocks: readonly Block[];
  readonly subjects: readonly SubjectPlan[];
}

/** Puts it together. */
export function resultOf(events: readonly BenchEvent[], plan: RunPlan, facts: RunFacts): Result {
  const wanted = chosenWorkloads(plan.selection);
  const ids = new Set(wanted.map(({ id }) => id));
  const { version, gitCommit } = buildInfo();
  const table = new SeriesTable(plan, ids);
  const subjects = new Map<string, Subject>();
  const machines = new Map<string, Machine>();
  const versions = new Map<string, Record<string, string>>();
  for (const event of events) {
    if (event.event === 'machine') machines.set(event.machine.id, event.machine);
    if (event.event === 'version')
      versions.set(event.machine, { ...versions.get(event.machine), [event.name]: event.version });
    if (event.event === 'subject') subjects.set(event.subject.id, event.subject);
    if (event.event === 'sample') table.add(event.subject, event, event.sample);
    if (event.event === 'failed') table.fail(event.block, event.subject, event.job, event.reason);
  }
  const series = table.list();
  return {
    version: RESULT_VERSION,
    tsengine: gitCommit === '' ? version : `${version} (${gitCommit})`,
    ...facts,
    machines: [...machines.values()].map((machine) => ({
      ...machine,
      versions: { ...machine.versions, ...versions.get(machine.id) },
    })),
    subjects: plan.subjects.map((one) => subjects.get(one.id) ?? unmade(one, series)),
    workloads: wanted
      .filter(({ id }) => series.some(({ workload }) => workload === id))
      .map(({ id, group, title, unit, better }) => ({ id, group, title, unit, better })),
    series,
  };
}

/** A subject that could not be made in any block. */
function unmade(plan: SubjectPlan, series: readonly Series[]): Subject {
  const { id, kind, machine, engine, driver, store, baseline } = plan;
  const reason = series.find((one) => one.subject === id && one.error !== undefined)?.error;
  return {
    ...{ id, kind, machine, engine, driver, baseline, backing: store === 'zpool' ? 'zfs' : store },
    ...{ standIn: null, size: 0, mkfs: '', mountOptions: '', storageOptions: [] },
    failed: reason ?? 'the run ended before it was made',
  };
}

/** All series by subject, workload and point. */
class SeriesTable {
  readonly #plan: RunPlan;
  readonly #ids: ReadonlySet<string>;
  readonly #series = new Map<string, Series>();

  constructor(plan: RunPlan, ids: ReadonlySet<string>) {
    this.#plan = plan;
    this.#ids = ids;
  }

  #of(subject: string, { workload, point }: SeriesName): Series {
    const key = seriesKey(subject, { workload, point });
    const found = this.#series.get(key) ?? { subject, workload, point: { ...point }, samples: [] };
    this.#series.set(key, found);
    return found;
  }

  add(subject: string, name: SeriesName, sample: Sample): void {
    const series = this.#of(subject, name);
    series.samples.push(sample);
    // What failed before was for want of time, or was tried again.
    delete series.error;
  }

  /** What a job, or all of a block, could not give. */
  fail(block: string, subject: string, job: string | null, reason: string): void {
    const plan = this.#plan.subjects.find(({ id }) => id === subject);
    const jobs = this.#plan.blocks.find(({ id }) => id === block)?.jobs ?? [];
    // A block whose process died at its beginning is that of all.
    const plans = plan === undefined ? this.#plan.subjects : [plan];
    for (const one of plans)
      for (const { id, series, means } of jobs)
        if (job === null || id === job)
          for (const name of series)
            if (this.#ids.has(name.workload) && (means?.({ plan: one }, name) ?? true))
              this.#of(one.id, name).error = reason;
  }

  list(): Series[] {
    return [...this.#series.values()];
  }
}
