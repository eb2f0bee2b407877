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

/**
 * Looks for where the last so many lines of what a container wrote begin, by reading from the end: log after log, the
 * newest first, until it is found. A line of the container's may be several of the logs': all but the last are pieces of
 * the line that ends after them.
 */
export class TailSearch {
  /** Pieces of lines of the tail, from before its beginning, with other lines in between: to be shown first. */
  readonly head: LogEntry[] = [];
  readonly #wanted: number;
  readonly #unfinished = new Set<LogEntry['stream']>(['stdout', 'stderr']);
  /** Streams whose first line within the tail may have begun before it. */
  readonly #open = new Set<LogEntry['stream']>();
  #lines = 0;
  #isFound = false;
  /** Whether everything from the tail's beginning on, as far as it is known, is in it. */
  #adjoins = true;

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  /** Lines found so far; in the end fewer than wanted when there are no more. */
  get lines(): number {
    return this.#lines;
  }

  /** Whether older logs need not be looked at: nothing of them is shown but what is in `head`. */
  get isFound(): boolean {
    return this.#isFound;
  }

  /** Looks through the next older log. Gives the offset in it from which on all is shown. */
  look(fd: number, parse: LineParser): number {
    let start = fstatSync(fd).size;
    for (const { line, start: begins } of linesBackward(fd)) {
      const entry = parse(line);
      if (entry === undefined) continue;
      if (this.#takes(entry)) start = begins;
      else if (this.#open.size === 0) {
        this.#isFound = true;
        return start;
      }
    }
    return this.#lines < this.#wanted ? 0 : start;
  }

  /** Whether the tail begins with this entry or before it; else a piece of one of its lines goes to the head. */
  #takes(entry: LogEntry): boolean {
    const { stream, endsLine } = entry;
    // A piece counts as a line only where nothing of its stream follows it.
    const counts = endsLine || this.#unfinished.has(stream);
    this.#unfinished.delete(stream);
    if (this.#lines < this.#wanted || (!counts && this.#open.has(stream) && this.#adjoins)) {
      if (counts) this.#lines += 1;
      this.#open.add(stream);
      return true;
    }
    this.#adjoins = false;
    if (counts) this.#open.delete(stream);
    else if (this.#open.has(stream)) this.head.unshift(entry);
    return false;
  }
}
