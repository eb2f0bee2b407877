/** What a run tells while it goes on, one JSON object a line: from the process of a block, from a virtual machine, and in the log that a run started again reads. */
import * as z from 'zod/mini';
import { once } from '../../../src/once.ts';
import { schemas } from '../schema.ts';

const eventSchema = once(() => {
  const { machine, subject, sample } = schemas();
  const of = { block: z.string(), subject: z.string() };
  const point = z.record(z.string(), z.number());
  return z.discriminatedUnion('event', [
    z.object({ event: z.literal('run'), conditions: z.string(), command: z.string(), started: z.string() }),
    z.object({ event: z.literal('machine'), machine }),
    z.object({
      event: z.literal('version'),
      machine: z.string(),
      name: z.string(),
      version: z.string(),
    }),
    z.object({ event: z.literal('subject'), subject }),
    z.object({ event: z.literal('begins'), ...of, job: z.string() }),
    z.object({ event: z.literal('sample'), ...of, workload: z.string(), point, sample }),
    // Of one series, of all of a job, or, without a job, of all that the block measures of the subject.
    z.object({ event: z.literal('failed'), ...of, job: z.nullable(z.string()), reason: z.string() }),
    z.object({ event: z.literal('note'), text: z.string() }),
    // The block has all that it was to have, or its time was over.
    z.object({ event: z.literal('done'), block: z.string(), machine: z.string(), isWhole: z.boolean() }),
    // The run goes on: it was started again after so many milliseconds of work.
    z.object({ event: z.literal('again'), after: z.number() }),
  ]);
});

/** One thing that happened. */
export type BenchEvent = z.infer<ReturnType<typeof eventSchema>>;

const MARK = '@tsengine-bench ';

/** An event as a line. */
export function eventLine(event: BenchEvent): string {
  return markedLine(event);
}

/** The event of a line; `undefined` for any other line, and for one that was cut off. */
export function parseEventLine(line: string): BenchEvent | undefined {
  return parseMarkedLine(line, eventSchema());
}

/** A line that is found among what programs write. */
export function markedLine(value: object): string {
  return `${MARK}${JSON.stringify(value)}\n`;
}

/** What is in such a line; `undefined` for any other line, for one that was cut off, and for one of another form. */
export function parseMarkedLine<T>(line: string, schema: z.ZodMiniType<T>): T | undefined {
  const at = line.indexOf(MARK);
  if (at < 0) return undefined;
  try {
    const parsed = schema.safeParse(JSON.parse(line.slice(at + MARK.length)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
