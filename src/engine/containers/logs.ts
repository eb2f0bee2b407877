import { watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, TsengineError } from '../../errors.ts';
import { pathExists, readInto } from '../../linux/files.ts';
import type { LogChunk, LogsOptions } from '../api/services.ts';
import { formatFixedTimestamp, now, parseTimeOption } from '../text/timestamp.ts';
import type { StoredContainer } from './container-file.ts';
import type { ContainerPaths } from './container-folders.ts';
import { bareName, type ContainerContext, readContainer, runOf } from './context.ts';
import { detailsText, notedAttributes } from './log-details.ts';
import { type LogFile, openLogFiles } from './log-files.ts';
import { entryTime, type LineParser, type LogEntry } from './log-lines.ts';
import { TailSearch } from './log-tail.ts';

/** Bytes read at once. */
const BLOCK = 256 * 1024;
/** How often a followed log is looked at without having been told. Milliseconds. */
const LOOK_EVERY = 250;
const NEWLINE = 0x0a;

/** What of a log is shown, and how. */
interface View {
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  readonly timestamps: boolean;
  /** What to show before each line of entries that say nothing themselves; `undefined` for nothing. */
  readonly details: Readonly<Record<string, string>> | undefined;
}

/** Reads a log from an offset on, entry by entry, in batches; remembers where it is for the next time. */
class LogReader {
  readonly #fd: number;
  readonly #parse: LineParser;
  #position: number;
  #pending = Buffer.alloc(0);

  constructor(fd: number, parse: LineParser, start: number) {
    this.#fd = fd;
    this.#parse = parse;
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

/** What is shown of the logs: pieces of lines first, and then each log that has a part in it from an offset on. */
interface Shown {
  readonly head: readonly LogEntry[];
  readonly parts: readonly { readonly file: LogFile; readonly start: number }[];
}

/** What shows the last `tail` lines of all logs, which come oldest first; all of them for `undefined`. */
async function shownOf(files: readonly LogFile[], tail: number | undefined): Promise<Shown> {
  if (tail === undefined) return { head: [], parts: files.map((file) => ({ file, start: 0 })) };
  const search = new TailSearch(tail);
  const parts: { file: LogFile; start: number }[] = [];
  for (const file of files.toReversed()) {
    parts.unshift({ file, start: search.look(await file.descriptor(), file.parse) });
    if (search.isFound) break;
  }
  return { head: search.head, parts };
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

/** The files of a container in which Docker keeps what it alone can read. */
const DOCKERS_FILES = ['local-logs', 'container-cached.log'];

/**
 * Fails when what the container wrote is not in files that can be read here, because Docker's log driver put it elsewhere;
 * warns where that is so of a part.
 */
function checkReadable(context: ContainerContext, container: StoredContainer, paths: ContainerPaths): void {
  const driver = container.hostConfig.LogConfig.Type;
  const unreadable = 'configured logging driver does not support reading';
  if (driver === 'none') throw new TsengineError('NotImplemented', unreadable);
  if (driver === 'json-file' || driver === '' || !container.file.HasBeenStartedBefore) return;
  // Docker keeps what it sends to other drivers in a cache, in the format of `local`.
  const isKept = DOCKERS_FILES.some((name) => pathExists(`${paths.folder}/${name}`));
  const where = `Docker wrote it with its log driver ${driver}: read it with docker logs`;
  if (pathExists(paths.log)) {
    if (isKept)
      context.warn(`container ${bareName(container)}: what it wrote under Docker is not shown, as ${where}`);
    return;
  }
  if (!isKept && driver !== 'journald') throw new TsengineError('NotImplemented', unreadable);
  throw new TsengineError(
    'NotImplemented',
    `cannot read the log of container ${bareName(container)}: ${where}`,
  );
}

/** `logs`: what the container wrote. See `ContainerService.logs`. */
export async function* containerLogs(
  context: ContainerContext,
  id: string,
  options: LogsOptions = {},
): AsyncGenerator<LogChunk> {
  const container = readContainer(context, id);
  const paths = context.store.paths(id);
  checkReadable(context, container, paths);
  const { file, hostConfig } = container;
  const renderer = new Renderer(
    viewOf(options, notedAttributes(file.Config, hostConfig.LogConfig.Config ?? {})),
  );
  using opened = new DisposableStack();
  const files = openLogFiles(paths);
  for (const log of files) opened.use(log);
  const { head, parts } = await shownOf(files, options.tail);
  yield* renderer.render(head);
  for (const [index, { file: log, start }] of parts.entries()) {
    const reader = new LogReader(await log.descriptor(), log.parse, start);
    for (let entries = reader.next(); entries !== undefined && !renderer.isPast; entries = reader.next()) {
      yield* renderer.render(entries);
    }
    if (renderer.isPast) return;
    if (options.follow !== true || index < parts.length - 1) continue;
    for await (const entries of follow(context, id, reader, log.path)) {
      yield* renderer.render(entries);
      if (renderer.isPast) return;
    }
  }
}
