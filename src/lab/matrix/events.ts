/**
 * What a kernel's run tells while it goes on, one JSON object a line: the same from this machine, from a virtual machine
 * over its console, and in the file that a run started again reads.
 */
import * as z from 'zod/mini';
import { once } from '../../once.ts';
import { killedForMemory } from '../console.ts';
import { BACKINGS, type Backing, type Cell, schemas } from './schema.ts';

const eventSchema = once(() =>
  z.discriminatedUnion('event', [
    z.object({
      event: z.literal('kernel'),
      release: z.string(),
      build: z.string(),
      machine: z.string(),
    }),
    z.object({ event: z.literal('booted'), seconds: z.number() }),
    z.object({ event: z.literal('begins'), driver: z.string(), backing: z.enum(BACKINGS) }),
    // What a filesystem can do is about to be tried: the feature of that name; null while the filesystem is made.
    z.object({
      event: z.literal('tries'),
      backing: z.nullable(z.enum(BACKINGS)),
      name: z.nullable(z.string()),
    }),
    z.object({ event: z.literal('tried'), feature: schemas().feature }),
    z.object({
      event: z.literal('features'),
      backing: z.nullable(z.enum(BACKINGS)),
      features: z.array(schemas().feature),
    }),
    z.object({ event: z.literal('cell'), cell: schemas().cell }),
    z.object({ event: z.literal('end') }),
  ]),
);

/** One thing that happened. */
export type MatrixEvent = z.infer<ReturnType<typeof eventSchema>>;

/** Begins each line of an event, so that it is told from whatever else a console carries. */
const MARK = '@tsengine-matrix ';

/** An event as a line. */
export function eventLine(event: MatrixEvent): string {
  return `${MARK}${JSON.stringify(event)}\n`;
}

/** The event of a line; `undefined` for any other line, and for one that was cut off. */
export function parseEventLine(line: string): MatrixEvent | undefined {
  const at = line.indexOf(MARK);
  if (at < 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line.slice(at + MARK.length));
  } catch {
    return undefined;
  }
  const parsed = eventSchema().safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Calls `each` for every whole line of a text that comes in pieces. */
export function byLine(each: (line: string) => void): (chunk: Buffer | string) => void {
  let rest = '';
  const decoder = new TextDecoder();
  return (chunk) => {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) each(line.replace(/\r$/, ''));
  };
}

/** A cell that did not come to an end of its own: the machine or the process died or hung under it. */
export function brokenCell(
  driver: string,
  backing: Backing,
  reason: string,
  log: string,
  seconds: number,
): Cell {
  const tests = {
    passed: countLines(log, 'ok '),
    failed: countLines(log, 'not ok '),
    excused: countLines(log, 'excused '),
  };
  return { driver, backing, status: 'failed', died: true, reasons: [reason], tests, seconds, log };
}

/** A cell with what the machine's kernel said under it: of one whose process was killed for want of memory that is the reason. */
export function withTrouble(cell: Cell, lines: readonly string[]): Cell {
  if (lines.length === 0) return cell;
  const killed = cell.died === true ? killedForMemory(lines) : [];
  const why = `the machine's memory was used up, and its kernel killed ${[...new Set(killed)].join(', ')}: give it more with --memory`;
  return {
    ...cell,
    reasons: killed.length === 0 ? cell.reasons : [why, ...cell.reasons],
    log: [cell.log, ...lines.map((line) => `# its kernel: ${line}`)].filter((line) => line !== '').join('\n'),
  };
}

function countLines(log: string, beginning: string): number {
  return log.split('\n').filter((line) => line.startsWith(beginning)).length;
}
