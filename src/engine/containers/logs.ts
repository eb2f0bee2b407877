import { existsSync, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, TsengineError } from '../../errors.ts';
import { closeFile, openFile, pathExists, readInto } from '../../linux/files.ts';
import type { LogChunk, LogsOptions } from '../api/services.ts';
import { formatFixedTimestamp, now, parseTimeOption } from '../text/timestamp.ts';
import { type ContainerContext, readContainer, runOf } from './context.ts';
import { detailsText, notedAttributes } from './log-details.ts';
import { entryTime, type LineParser, type LogEntry, parseCriLine, parseJsonLine } from './log-lines.ts';
import { findTail, type Tail } from './log-tail.ts';

/** Bytes read at once. */
const BLOCK = 256 * 1024;
/** How often a followed log is looked at without having been told. Milliseconds. */
const LOOK_EVERY = 250;
const NEWLINE = 0x0a;

interface Source {
  readonly path: string;
  readonly parse: LineParser;
}

/** What of a log is shown, and how. */
interface View {
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  readonly timestamps: boolean;
  /** What to show before each line of entries that say nothing themselves; `undefined` for nothing. */
  readonly details: Readonly<Record<string, string>> | undefined;
}

/** Reads a log from an offset on, entry by entry, in batches; remembers where it is for the next time. */
class LogReader implements Disposable {
  readonly #fd: number;
  readonly #parse: LineParser;
  #position: number;
  #pending = Buffer.alloc(0);

  constructor(source: Source, start: number) {
    this.#fd = openFile(source.path, 'r');
    this.#parse = source.parse;
    this.#position = start;
  }

  /** The entries of the next block; `undefined` when there is nothing new. */
  next(): LogEntry[] | undefined {
    const block = Buffer.allocUnsafe(BLOCK);
    const length = readInto(this.#fd, block, 0, BLOCK, this.#position);
    if (length === 0) return undefined;
    this.#position += length;
    const data = Buffer.concat([this.#pending, block.subarray(0, length)]);
    const entries: LogEntry[] = [];
    let at = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, at)) {
      const entry = this.#parse(data.subarray(at, end));
      if (entry !== undefined) entries.push(entry);
      at = end + 1;
    }
    this.#pending = Buffer.from(data.subarray(at));
    return entries;
  }

  [Symbol.dispose](): void {
    closeFile(this.#fd);
  }
}

/** Puts entries of one stream that follow each other together, with times before lines where they are wanted. */
class Renderer {
  readonly #view: View;
  readonly #midLine = { stdout: false, stderr: false };
  /** Whether everything that comes from now on is too late. */
  isPast = false;

  constructor(view: View) {
    this.#view = view;
  }

  render(entries: readonly LogEntry[]): LogChunk[] {
    const chunks: { stream: LogEntry['stream']; parts: Buffer[] }[] = [];
    for (const entry of entries) {
      if (!this.#isWanted(entry)) continue;
      const last = chunks.at(-1);
      const parts = this.#parts(entry);
      if (last?.stream === entry.stream) last.parts.push(...parts);
      else chunks.push({ stream: entry.stream, parts });
    }
    return chunks.map(({ stream, parts }) => ({ stream, data: Buffer.concat(parts) }));
  }

  #isWanted(entry: LogEntry): boolean {
    const { since, until } = this.#view;
    if (this.isPast) return false;
    if (since === undefined && until === undefined) return true;
    const time = entryTime(entry);
    if (until !== undefined && time > until) {
      this.isPast = true;
      return false;
    }
    return since === undefined || time >= since;
  }

  #parts(entry: LogEntry): Buffer[] {
    const begins = !this.#midLine[entry.stream];
    this.#midLine[entry.stream] = !entry.endsLine;
    if (!begins) return [entry.data];
    const { timestamps, details } = this.#view;
    const time = timestamps ? `${formatFixedTimestamp(entryTime(entry))} ` : '';
    const noted = details === undefined ? '' : `${detailsText(entry.attributes ?? details)} `;
    return [Buffer.from(time + noted), entry.data];
  }
}

/** The logs that a container has: Docker's of the time before it was ours, and ours. */
function sources(context: ContainerContext, id: string): Source[] {
  const paths = context.store.paths(id);
  const all = [
    { path: paths.dockerLog, parse: parseJsonLine },
    { path: paths.log, parse: parseCriLine },
  ];
  return all.filter(({ path }) => existsSync(path));
}

/** Where to begin in each log so that the last `tail` lines of all come out. */
function starts(all: readonly Source[], tail: number | undefined): Tail[] {
  if (tail === undefined) return all.map(() => ({ head: [], start: 0, lines: 0 }));
  let left = tail;
  const backward = all.toReversed().map(({ path, parse }) => {
    const fd = openFile(path, 'r');
    try {
      const found = findTail(fd, left, parse);
      left -= found.lines;
      return found;
    } finally {
      closeFile(fd);
    }
  });
  return backward.toReversed();
}

/** Waits until the log may have grown. */
async function waitForGrowth(path: string): Promise<void> {
  const done = new AbortController();
  const watcher = watch(path, () => done.abort());
  watcher.on('error', () => done.abort());
  try {
    await sleep(LOOK_EVERY, undefined, { signal: done.signal }).catch(() => undefined);
  } finally {
    watcher.close();
  }
}

/** New entries until the container's run is over and all of it is read. */
async function* follow(
  context: ContainerContext,
  id: string,
  reader: LogReader,
  path: string,
): AsyncGenerator<LogEntry[]> {
  const run = runOf(context, id);
  for (;;) {
    const over = pathExists(run.exit) || !pathExists(run.path);
    for (let entries = reader.next(); entries !== undefined; entries = reader.next()) yield entries;
    // conmon writes the exit file after the last of the log.
    if (over) return;
    await waitForGrowth(path);
  }
}

function viewOf(options: LogsOptions, details: Readonly<Record<string, string>>): View {
  const reference = now();
  const given = (text: string | undefined) => (text === undefined || text === '' ? undefined : text);
  const since = given(options.since);
  const until = given(options.until);
  return {
    since: since === undefined ? undefined : timeOf('since', since, reference),
    until: until === undefined || until === '0' ? undefined : timeOf('until', until, reference),
    timestamps: options.timestamps === true,
    details: options.details === true ? details : undefined,
  };
}

function timeOf(name: string, text: string, reference: Parameters<typeof parseTimeOption>[1]): bigint {
  try {
    return parseTimeOption(text, reference);
  } catch (error) {
    throw new TsengineError('InvalidParameter', `invalid value for "${name}": ${errorMessage(error)}`);
  }
}

/** `logs`: what the container wrote. See `ContainerService.logs`. */
export async function* containerLogs(
  context: ContainerContext,
  id: string,
  options: LogsOptions = {},
): AsyncGenerator<LogChunk> {
  const { file, hostConfig } = readContainer(context, id);
  if (hostConfig.LogConfig.Type === 'none') {
    throw new TsengineError('NotImplemented', 'configured logging driver does not support reading');
  }
  const renderer = new Renderer(
    viewOf(options, notedAttributes(file.Config, hostConfig.LogConfig.Config ?? {})),
  );
  const all = sources(context, id);
  const from = starts(all, options.tail);
  for (const [index, source] of all.entries()) {
    using reader = new LogReader(source, from[index]?.start ?? 0);
    yield* renderer.render(from[index]?.head ?? []);
    for (let entries = reader.next(); entries !== undefined && !renderer.isPast; entries = reader.next()) {
      yield* renderer.render(entries);
    }
    if (options.follow !== true || index < all.length - 1) continue;
    for await (const entries of follow(context, id, reader, source.path)) {
      yield* renderer.render(entries);
      if (renderer.isPast) return;
    }
  }
}
