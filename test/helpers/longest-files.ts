/** A reporter for Node's test runner: the ten files whose tests took longest, so that the budget of `npm test` is watched. */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

const SHOWN = 10;

/** Gives its lines when all have ended: seconds from beginning to end, while other files ran beside. */
export default async function* longestFiles(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const took = new Map<string, number>();
  for await (const { type, data } of events) {
    // What is nested is within what it is nested in.
    if ((type !== 'test:pass' && type !== 'test:fail') || data.nesting !== 0 || data.file === undefined)
      continue;
    const file = relative(process.cwd(), data.file);
    took.set(file, (took.get(file) ?? 0) + data.details.duration_ms);
  }
  const longest = [...took].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
  for (const [file, ms] of longest) yield `${(ms / 1000).toFixed(0).padStart(6)} s  ${file}\n`;
}
