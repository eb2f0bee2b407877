/**
 * One cell, or the features of one filesystem, in a process with a mount namespace and a pid namespace of its own. However
 * it ends, killed or hanging, the kernel takes with it all processes that it started and all that it mounted.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { errorMessage, TsengineError } from '../../errors.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import type { CellName } from './cells.ts';
import { brokenCell, byLine, type MatrixEvent, parseEventLine } from './events.ts';
import type { Backing, Cell, Feature } from './schema.ts';
import { CELLS_COMMAND, selfCommand } from './self.ts';
import { missingTool, toolEnvironment } from './tool.ts';

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

/** Tries the features of a filesystem, or of the kernel alone. Empty when the process told nothing. */
export async function isolatedFeatures(
  backing: Backing | null,
  options: IsolatedOptions,
): Promise<Feature[]> {
  const ended = await inProcess((work) => ({ features: backing, work }), options);
  return ended.events.flatMap((event) => (event.event === 'features' ? event.features : []));
}

/** Starts the process on a folder of its own, which is removed in the end, and waits for it. */
async function inProcess(
  request: (work: string) => IsolatedRequest,
  options: IsolatedOptions,
): Promise<Ended> {
  const work = mkdtempSync(`${options.folder}/tsengine-lab-`);
  try {
    return await watch(request(work), options);
  } finally {
    removeTree(work);
  }
}

async function watch(request: IsolatedRequest, options: IsolatedOptions): Promise<Ended> {
  const started = performance.now();
  const events: MatrixEvent[] = [];
  const lines: string[] = [];
  let trouble: string | undefined;
  // --kill-child: the namespaces end with unshare(1), and with them every process in them.
  const namespaces = [
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ];
  const words = [...namespaces, '--', ...selfCommand(), CELLS_COMMAND, '--isolated', JSON.stringify(request)];
  // And unshare(1) ends with us, however we do.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...words], {
    env: toolEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const take = byLine((line) => {
    const event = parseEventLine(line);
    if (event === undefined) lines.push(line);
    else events.push(event);
  });
  child.stdout.on('data', take);
  child.stderr.on(
    'data',
    byLine((line) => lines.push(line)),
  );
  const stop = (why: string): void => {
    trouble ??= why;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => stop(`it was not done after ${options.limitMs / 1000} s`), options.limitMs);
  const aborted = (): void => stop('it was interrupted');
  options.signal?.addEventListener('abort', aborted);
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', (error) => reject(cannotStart(error)));
      child.on('close', (code, signal) => {
        if (code !== 0) trouble ??= `its process ended with ${signal ?? `exit code ${code}`}`;
        resolve();
      });
    });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', aborted);
  }
  options.signal?.throwIfAborted();
  return {
    events,
    log: lines.join('\n'),
    trouble,
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
}

function cannotStart(error: Error): TsengineError {
  if ('code' in error && error.code === 'ENOENT') return missingTool('setpriv', 'util-linux');
  return new TsengineError('System', `cannot start a process for a cell: ${errorMessage(error)}`, {
    cause: error,
  });
}
