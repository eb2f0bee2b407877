/**
 * A block in a process of its own with its own mount and pid namespaces. However it ends, the kernel takes with it all processes
 * that it started and all that it mounted, and with the mounts the loop devices, whose files have no names.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { errorMessage, hasErrno, TsengineError } from '../../../src/errors.ts';
import { byLine } from '../../../src/lab/matrix/events.ts';
import { inOwnNamespaces } from '../../../src/lab/matrix/own-namespaces.ts';
import { selfCommand } from '../../../src/lab/matrix/self.ts';
import { missingTool } from '../../../src/lab/matrix/tool.ts';
import { untilEnd } from '../../../src/lab/matrix/until-end.ts';
import { median } from '../statistics.ts';
import { removeThinPools } from '../stores/thin-pool.ts';
import { removeZpools } from '../stores/zpool.ts';
import type { BlockRequest } from './block-process.ts';
import { removeCgroups } from './cgroups.ts';
import { type BenchEvent, parseEventLine } from './events.ts';
import { seriesKey } from './series-key.ts';

/** The hidden command that the process runs. */
export const BENCH_COMMAND = 'internal-bench';

/** Who listens. */
export interface BlockListener {
  readonly signal: AbortSignal | undefined;
  emit(event: BenchEvent): void;
}

/** What a block may take beyond its time, before it is taken for one that hangs: one job of gigabytes may be long. */
const SLACK_MS = 3 * 3_600_000;
/** How long a process that is killed may take to go: it unmounts, on a disk that may be slow. */
const GRACE_MS = 60_000;

/**
 * Starts a command with mount and pid namespaces of its own, in which `needed` is seen as here. The shell is process 1 there and
 * waits for what has lost its parent.
 */
export function startIsolated(
  words: readonly string[],
  needed: readonly string[] = [],
): ChildProcessByStdio<null, Readable, Readable> {
  const [program = '', ...args] = inOwnNamespaces('"$@"; exit $?', words, needed);
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * Runs it. A process that dies is tried again without the job that it died of, which is told as failed. Fails with the signal's
 * reason when it is aborted, and where a process cannot be started.
 */
export async function isolatedBlock(request: BlockRequest, listener: BlockListener): Promise<void> {
  let now = request;
  for (;;) {
    const died = await onePass(now, listener);
    if (died === undefined) return;
    const of = { block: request.block, subject: died.subject };
    listener.emit({ event: 'failed', ...of, job: died.job, reason: died.reason });
    // Without a job it died of its beginning: there is nothing to go on with.
    if (died.job === null) return;
    now = {
      ...now,
      ...{
        known: died.known,
        at: now.at + died.ms,
        softMs: now.softMs - died.ms,
        hardMs: now.hardMs - died.ms,
      },
      givenUp: [...now.givenUp, `${died.subject} ${died.job}`],
    };
  }
}

interface Died {
  readonly subject: string;
  readonly job: string | null;
  readonly reason: string;
  readonly known: BlockRequest['known'];
  readonly ms: number;
}

async function onePass(request: BlockRequest, listener: BlockListener): Promise<Died | undefined> {
  const started = performance.now();
  const known = new Map(Object.entries(request.known));
  // What one turn gave of a series counts once.
  const turn = new Map<string, number[]>();
  let at: { readonly subject: string; readonly job: string | null } = { subject: '', job: null };
  let isDone = false;
  let said = '';
  const words = [...selfCommand(), BENCH_COMMAND, '--block', JSON.stringify(request)];
  const child = startIsolated(words, [request.images, request.tools]);
  child.stdout.on(
    'data',
    byLine((line) => {
      const event = parseEventLine(line);
      if (event === undefined) return;
      if (event.event === 'begins') {
        at = event;
        keepTurn(known, turn);
      }
      if (event.event === 'done') isDone = true;
      if (event.event === 'sample') {
        const key = seriesKey(event.subject, event);
        turn.set(key, [...(turn.get(key) ?? []), event.sample.value]);
      }
      listener.emit(event);
    }),
  );
  child.stderr.on(
    'data',
    byLine((line) => {
      if (line.trim() !== '') said = line.trim();
    }),
  );
  const limitMs = Math.min(2 ** 31 - 1, Math.max(0, request.hardMs) + SLACK_MS);
  const ended = await untilEnd(child, { limitMs, graceMs: GRACE_MS, signal: listener.signal }).catch(
    (error: unknown) => {
      throw cannotStart(error);
    },
  );
  const warn = (text: string): void => listener.emit({ event: 'note', text });
  await removeThinPools(warn);
  await removeZpools(warn);
  removeCgroups(request.owner);
  listener.signal?.throwIfAborted();
  if (isDone && ended.trouble === undefined) return undefined;
  const why = isDone ? ended.trouble : (ended.trouble ?? 'its process ended without a result');
  const reason = said === '' ? `${why}` : said.replace(/^tsengine: /, '').slice(0, 500);
  // It had all, and what failed then is the taking away of stores.
  if (isDone) {
    warn(`after ${request.block}: ${reason}`);
    return undefined;
  }
  keepTurn(known, turn);
  return { ...at, reason, known: Object.fromEntries(known), ms: performance.now() - started };
}

/** Adds what a turn gave, of each series its median, and forgets the turn. */
function keepTurn(known: Map<string, number[]>, turn: Map<string, number[]>): void {
  for (const [key, list] of turn) known.set(key, [...(known.get(key) ?? []), median(list)]);
  turn.clear();
}

function cannotStart(error: unknown): TsengineError {
  if (hasErrno(error, 'ENOENT')) return missingTool('setpriv', 'util-linux');
  return new TsengineError('System', `cannot start a process for the benchmark: ${errorMessage(error)}`, {
    cause: error,
  });
}
