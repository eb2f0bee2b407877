/** What a check may ask another process to do with the same data root. */
import { createReadStream } from 'node:fs';
import type { CreateOptions, GraphDriver } from '../driver.ts';
import { changeLines, collect } from './layers.ts';
import { namesOf } from './tar.ts';

/** One call of a driver, in a form that fits an argument. */
export type Job =
  | {
      readonly call: 'create' | 'createReadWrite';
      readonly id: string;
      readonly parent?: string;
      readonly options?: CreateOptions;
    }
  /** `tar` is the path of an archive. */
  | { readonly call: 'applyDiff'; readonly id: string; readonly parent?: string; readonly tar: string }
  | { readonly call: 'get' | 'put' | 'remove'; readonly id: string }
  | { readonly call: 'changes' | 'diff'; readonly id: string; readonly parent: string }
  | { readonly call: 'cleanup' };

/** How the process ended. */
export interface JobResult {
  /** Its exit status; `undefined` when a signal killed it. */
  readonly status: number | undefined;
  /** What it printed: the path, for `get`; lines, for `changes` and `diff`. */
  readonly output: string;
  /** What it printed about an error. */
  readonly errors: string;
}

/** Does the job, in the process that was started for it. A mount that `get` makes stays. */
export async function runJob(driver: GraphDriver, job: Job): Promise<string> {
  switch (job.call) {
    case 'create':
    case 'createReadWrite':
      await driver[job.call](job.id, job.parent, job.options);
      return '';
    case 'applyDiff':
      await driver.applyDiff(job.id, job.parent, createReadStream(job.tar));
      return '';
    case 'get':
      return (await driver.get(job.id)).path;
    case 'put':
    case 'remove':
      await driver[job.call](job.id);
      return '';
    case 'changes':
      return changeLines(await driver.changes(job.id, job.parent)).join('\n');
    case 'diff':
      return namesOf(await collect(driver.diff(job.id, job.parent))).join('\n');
    case 'cleanup':
      await driver.cleanup();
      return '';
  }
}
