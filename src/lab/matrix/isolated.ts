/**
 * One cell, or the features of one filesystem, in a process with a mount namespace and a pid namespace of its own. However
 * it ends, the kernel takes with it all processes that it started and all that it mounted, and with the mounts their loop
 * devices and NFS servers. Pools of ZFS belong to no namespace: who kills one destroys its pool.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { programEnv } from '../run-program.ts';
import { destroyPools } from './backing-zfs.ts';
import type { CellName } from './cells.ts';
import { brokenCell, byLine, type MatrixEvent, parseEventLine } from './events.ts';
import { brokenFeatures, type Trying } from './features.ts';
import { inOwnNamespaces } from './own-namespaces.ts';
import type { Backing, Cell, Feature } from './schema.ts';
import { CELLS_COMMAND, selfCommand } from './self.ts';
import { missingTool } from './tool.ts';
import { untilEnd } from './until-end.ts';

/** What is the same for all cells of a run. */
export interface IsolatedOptions {
  /** A folder on a disk, for images of filesystems. */
  readonly folder: string;
  /** The slow checks as well. */
  readonly slow: boolean;
  /** How long one cell may take, in milliseconds. */
  readonly limitMs: number;
  /** Ends what runs. */
  readonly signal: AbortSignal | undefined;
  /** Takes a line about what a cell leaves behind. */
  warn(line: string): void;
}

/** What the process is told: the last word of its command line, as JSON. */
export type IsolatedRequest =
  | { readonly cell: CellName; readonly work: string; readonly slow: boolean }
  | { readonly features: Backing | null; readonly work: string };

interface Ended {
  readonly events: readonly MatrixEvent[];
  /** All other lines. */
  readonly log: string;
  /** Why there is no result: it was killed, was over its time, could not be started. */
  readonly trouble: string | undefined;
  readonly isGone: boolean;
  readonly seconds: number;
}

/** Runs a cell. Never throws but for an abort: a process that dies is a cell that failed. */
export async function isolatedCell(cell: CellName, options: IsolatedOptions): Promise<Cell> {
  const ended = await inProcess((work) => ({ cell, work, slow: options.slow }), options);
  for (const event of ended.events) if (event.event === 'cell') return event.cell;
  const at = ended.log.split('\n').findLast((line) => line.startsWith('ok ')) ?? 'its beginning';
  const reason = `${ended.trouble ?? 'its process ended without a result'}; the last that it told of was: ${at}`;
  return brokenCell(cell.driver, cell.backing, reason, ended.log, ended.seconds);
}

/** Tries the features of a filesystem, or of the kernel alone; tells of each at once. What a process that dies did not answer is unknown. */
export async function isolatedFeatures(
  backing: Backing | null,
  options: IsolatedOptions,
  tell: (event: MatrixEvent) => void,
): Promise<readonly Feature[]> {
  let trying: Trying = { name: null, tried: [] };
  const ended = await inProcess(
    (work) => ({ features: backing, work }),
    options,
    (event) => {
      if (event.event === 'tries') trying = { name: event.name, tried: trying.tried };
      if (event.event === 'tried') trying.tried.push(event.feature);
      if (event.event === 'tries' || event.event === 'tried') tell(event);
    },
  );
  for (const event of ended.events) if (event.event === 'features') return event.features;
  return brokenFeatures(backing, trying, ended.trouble ?? 'its process ended without a result');
}

/** Starts the process on a folder of its own, which is removed in the end, and waits for it. */
async function inProcess(
  request: (work: string) => IsolatedRequest,
  options: IsolatedOptions,
  tell: (event: MatrixEvent) => void = () => undefined,
): Promise<Ended> {
  const work = mkdtempSync(`${options.folder}/tsengine-lab-`);
  let isGone = true;
  try {
    const ended = await watch(request(work), options, tell);
    isGone = ended.isGone;
    return ended;
  } finally {
    // What it did not come to itself, for being killed. What hangs in the kernel would have us hang there as well: that is for the next run.
    if (isGone) destroyPools(work, options.warn);
    try {
      removeTree(work);
    } catch (error) {
      options.warn(`the folder of a cell stays: ${errorMessage(error)}`);
    }
  }
}

async function watch(
  request: IsolatedRequest,
  options: IsolatedOptions,
  tell: (event: MatrixEvent) => void,
): Promise<Ended> {
  const started = performance.now();
  const events: MatrixEvent[] = [];
  const lines: string[] = [];
  const words = [...selfCommand(), CELLS_COMMAND, '--isolated', JSON.stringify(request)];
  const [program = '', ...args] = inOwnNamespaces('exec "$@"', words, [options.folder]);
  const child = spawn(program, args, {
    env: programEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on(
    'data',
    byLine((line) => {
      const event = parseEventLine(line);
      if (event === undefined) lines.push(line);
      else {
        events.push(event);
        tell(event);
      }
    }),
  );
  child.stderr.on(
    'data',
    byLine((line) => lines.push(line)),
  );
  const { limitMs, signal } = options;
  const ended = await untilEnd(child, { limitMs, graceMs: GRACE_MS, signal }).catch((error: unknown) => {
    throw cannotStart(error);
  });
  signal?.throwIfAborted();
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  return { ...ended, events, log: lines.join('\n'), seconds };
}

/** How long a process that is killed may take to go: it unmounts, on a disk that may be slow. */
const GRACE_MS = 60_000;

function cannotStart(error: unknown): TsengineError {
  if (hasErrno(error, 'ENOENT')) return missingTool('setpriv', 'util-linux');
  return new TsengineError('System', `cannot start a process for a cell: ${errorMessage(error)}`, {
    cause: error,
  });
}
