/** What a job asks of the kernel, by the names that faults have. */
import * as fs from 'node:fs';
import type { Job, JobResult } from './job.ts';
import { newId, type Subject } from './suite.ts';

/** How a job ended, and how often it made which calls: those of workers as well. */
export interface Counted extends JobResult {
  readonly calls: ReadonlyMap<string, number>;
}

/** Does a job in a process of its own and counts its calls, those of opening the driver among them. */
export async function counted(subject: Subject, job: Job): Promise<Counted> {
  const log = `${subject.scratch}/${newId()}.log`;
  const result = await subject.elsewhere(job, { TSENGINE_FAULT_LOG: log });
  const calls = new Map<string, number>();
  for (const line of fs.readFileSync(log, 'utf8').trimEnd().split('\n')) {
    const name = line.replace('worker:', '');
    calls.set(name, (calls.get(name) ?? 0) + 1);
  }
  fs.rmSync(log);
  return { ...result, calls };
}
