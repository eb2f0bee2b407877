/** What the process of a workload tells while it works, a line each. */
import * as z from 'zod/mini';
import { once } from '../src/once.ts';
import { repositorySchemas } from './schema.ts';
import { markedLine, parseMarkedLine } from './suite/measure/events.ts';

const eventSchema = once(() =>
  z.discriminatedUnion('event', [
    z.object({ event: z.literal('progress'), text: z.string() }),
    z.object({ event: z.literal('version'), name: z.string(), version: z.string() }),
    z.object({ event: z.literal('missing'), series: z.string(), reason: z.string() }),
    z.object({ event: z.literal('comparison'), comparison: repositorySchemas().comparison }),
    z.object({ event: z.literal('failed'), reason: z.string() }),
    z.object({ event: z.literal('done') }),
  ]),
);

/** One thing that happened. */
export type WorkloadEvent = z.infer<ReturnType<typeof eventSchema>>;

/** An event as a line. */
export function eventLine(event: WorkloadEvent): string {
  return markedLine(event);
}

/** The event of a line; `undefined` for any other line, and for one that was cut off. */
export function parseEventLine(line: string): WorkloadEvent | undefined {
  return parseMarkedLine(line, eventSchema());
}
