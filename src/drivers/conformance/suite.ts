/**
 * The suite that every storage driver must pass, as data: a list of named checks, each a function of a `Subject`. The
 * tests run it over drivers and filesystems, and a user can run it over a data root of theirs.
 */
import type { Capabilities, DriverContext, GraphDriver } from '../driver.ts';
import type { Job, JobResult } from './job.ts';

/** One driver on one data root that nothing else uses. Disposing of it removes all that it made. */
export interface Subject extends AsyncDisposable {
  /** The driver, opened. */
  readonly driver: GraphDriver;
  /** The driver's folder in the data root. */
  readonly home: string;
  /** The driver's folder for what a boot may forget. */
  readonly runHome: string;
  /** A folder on any filesystem, for trees that results are compared with. */
  readonly scratch: string;
  /** Extended attributes that the filesystem itself takes none of, such as `security.`: the checks do without them. */
  readonly without?: readonly string[];
  /** Opens the same data root once more, as a later start or another process would; or, with a place, another data root there. */
  open(place?: Pick<DriverContext, 'home' | 'runHome'>): Promise<GraphDriver>;
  /**
   * Runs a job on the same data root in a process of its own, with these variables added to its environment. Throws when
   * the job fails, unless `TSENGINE_FAULT` is among them.
   */
  elsewhere(job: Job, environment?: Readonly<Record<string, string>>): Promise<JobResult>;
}

/** What a check is given. */
export interface Check {
  /** Says what holds when it passes. */
  readonly name: string;
  /** Whether it takes more than a few seconds; left out of a quick run. */
  readonly slow?: boolean;
  /** Whether it takes a second or two: part of a quick run, and not of what is run at every edit. */
  readonly lengthy?: boolean;
  /** Why the check says nothing about a driver of these capabilities; `undefined` when it does. */
  excused?(capabilities: Capabilities): string | undefined;
  /** Throws when the promise is not kept. Leaves layers behind as it likes: ids are never used twice. */
  run(subject: Subject): Promise<void>;
}

let sequence = 0;

/** A layer id that no check had before: 64 hexadecimal characters, as the engine's are. */
export function newId(): string {
  const stamp = (process.pid * 0x1_0000_0000 + Math.trunc(performance.now() * 1000)).toString(16);
  return `${(sequence++).toString(16).padStart(8, '0')}${stamp}`.padEnd(64, 'c').slice(0, 64);
}
