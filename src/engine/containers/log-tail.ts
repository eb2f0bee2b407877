import { fstatSync } from 'node:fs';
import { readInto } from '../../linux/files.ts';
import type { LineParser, LogEntry } from './log-lines.ts';

/** Bytes read at once from the end. */
const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;

/** The lines of a file from the last to the first, each with the offset at which it begins. What ends without a newline is one too. */
function* linesBackward(fd: number): Generator<{ readonly line: Buffer; readonly start: number }> {
  let position = fstatSync(fd).size;
  let pending = Buffer.alloc(0);
  let first = true;
  while (position > 0) {
    const length = Math.min(BLOCK, position);
    position -= length;
    const block = Buffer.alloc(length);
    readInto(fd, block, 0, length, position);
    pending = Buffer.concat([block, pending]);
    if (first && pending.at(-1) === NEWLINE) pending = pending.subarray(0, -1);
    first = false;
    for (let at = pending.lastIndexOf(NEWLINE); at >= 0; at = pending.lastIndexOf(NEWLINE)) {
      yield { line: pending.subarray(at + 1), start: position + at + 1 };
      pending = pending.subarray(0, at);
    }
  }
  if (pending.length > 0) yield { line: pending, start: 0 };
}

/** Where the last so many lines are. */
export interface Tail {
  /** Pieces of lines that end after `start`, from before it, with other lines in between: to be shown first. */
  readonly head: readonly LogEntry[];
  readonly start: number;
  /** How many lines there are; fewer than wanted when the log is shorter. */
  readonly lines: number;
}

/**
 * Finds where the last `wanted` lines of what a container wrote begin, by reading from the end. A line of the container's
 * may be several of the log's: all but the last are pieces of the line that ends after them.
 */
export function findTail(fd: number, wanted: number, parse: LineParser): Tail {
  const unfinished = new Set<LogEntry['stream']>(['stdout', 'stderr']);
  // Streams whose first line within the tail may have begun before it.
  const open = new Set<LogEntry['stream']>();
  const head: LogEntry[] = [];
  let start = fstatSync(fd).size;
  let lines = 0;
  for (const { line, start: begins } of linesBackward(fd)) {
    const entry = parse(line);
    if (entry === undefined) continue;
    // A piece counts as a line only where nothing of its stream follows it.
    const counts = entry.endsLine || unfinished.has(entry.stream);
    unfinished.delete(entry.stream);
    const adjoins = head.length === 0 && begins + line.length + 1 === start;
    if (lines < wanted || (!counts && open.has(entry.stream) && adjoins)) {
      if (counts) lines += 1;
      open.add(entry.stream);
      start = begins;
      continue;
    }
    if (counts) open.delete(entry.stream);
    else if (open.has(entry.stream)) head.unshift(entry);
    if (open.size === 0) return { head, start, lines };
  }
  return { head, start: lines < wanted ? 0 : start, lines };
}
