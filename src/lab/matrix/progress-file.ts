/**
 * What a run has done so far, in a file of one JSON object a line, so that it can be started again after Ctrl-C, a crash or
 * a power cut. Each line carries what it is good for: the code and the kernel. A line that was cut off is as if it were not
 * there. One run at a time has the file.
 */
import { appendFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { readTextIfAny, removeFile } from '../../linux/files.ts';
import { once } from '../../once.ts';
import { cannotWriteOut, lockOutFolder } from '../out-folder.ts';
import { eventLine, type MatrixEvent, parseEventLine } from './events.ts';

const FILE = 'progress.jsonl';

const keySchema = once(() => z.object({ key: z.string() }));

/** The file, held. */
export interface ProgressFile extends Disposable {
  /** What was told under this key, in order. */
  known(key: string): readonly MatrixEvent[];
  /** Adds one event. */
  add(key: string, event: MatrixEvent): void;
}

/** Opens the file in `folder`, made when absent. With `fresh` what it holds is thrown away. Fails with `Conflict` while another run has it. */
export function openProgressFile(folder: string, fresh: boolean): ProgressFile {
  const path = `${folder}/${FILE}`;
  const lock = lockOutFolder(folder, 'matrix');
  try {
    if (fresh) removeFile(path);
    const text = readTextIfAny(path) ?? '';
    // A line that was cut off must not spoil the next one.
    if (text !== '' && !text.endsWith('\n')) appendFileSync(path, '\n');
    const entries = text.split('\n').flatMap(parseEntry);
    return {
      known: (key) => entries.filter((entry) => entry.key === key).map(({ event }) => event),
      add: (key, event) => appendFileSync(path, `${JSON.stringify({ key })}${eventLine(event)}`),
      [Symbol.dispose]: () => lock[Symbol.dispose](),
    };
  } catch (error) {
    lock[Symbol.dispose]();
    throw cannotWriteOut(error);
  }
}

interface Entry {
  readonly key: string;
  readonly event: MatrixEvent;
}

/** `{"key":"…"}`, to the end of the string: a key has the path of a kernel in it, and a path anything. */
const KEY = /^\{"key":"(?:[^"\\]|\\.)*"\}/;

/** The key, and the event behind it. */
function parseEntry(line: string): Entry[] {
  const written = KEY.exec(line)?.[0] ?? '';
  const event = parseEventLine(line.slice(written.length));
  if (event === undefined) return [];
  try {
    const { key } = keySchema().parse(JSON.parse(written));
    return [{ key, event }];
  } catch {
    return [];
  }
}
