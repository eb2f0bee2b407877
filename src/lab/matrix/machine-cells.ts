/** One machine with cells in it: what the lab is asked for, and what comes back. */
import { availableParallelism } from 'node:os';
import { isTrouble } from '../console.ts';
import { runInMachine } from '../lab.ts';
import type { KernelChoice } from '../types.ts';
import { isCompiledModule } from '../zfs-modules.ts';
import type { CellsRequest } from './cells-here.ts';
import { byLine, type MatrixEvent, parseEventLine, withTrouble } from './events.ts';
import type { Left } from './findings.ts';
import { CELLS_COMMAND, isBundle } from './self.ts';

/** How they are run. */
export interface CellsOptions {
  readonly slow: boolean;
  /** How long one cell may take, in milliseconds. */
  readonly limitMs: number;
  /** How many machines there may be at once; they share the processors. */
  readonly machines: number;
  readonly memory: number | undefined;
  /** The disk with the code that runs in it. */
  readonly code: string | undefined;
  /** Modules that the kernels of virtual machines do without. */
  readonly withheldModules: readonly string[];
  readonly signal: AbortSignal | undefined;
  /** Takes what the machine tells. */
  emit(event: MatrixEvent): void;
  /** Takes a line for what takes long before anything is run. */
  note(line: string): void;
}

/** The same, for one machine of several. */
export interface OneMachineOptions extends CellsOptions {
  /** Takes a line that is worth knowing: a module that is not withheld. */
  notice(line: string): void;
}

/** Bytes of the disk that a virtual machine gets for the images of filesystems. It is a sparse file. */
const DISK = 24 * 1024 ** 3;
/** How long a machine may take to boot: several of them may share a processor. */
const BOOT_MS = 900_000;
/** What a cell may need beyond its limit until it is told: its process is ended, its files are removed. */
const SLACK_MS = 300_000;

/** Lines of its kernel's that a cell's log has at most: one that loops says the same for ever. */
const MOST_TROUBLE = 50;

/** What the machine came to. One that died is a `MachineError`. */
export interface CellsEnd {
  readonly exitCode: number;
  /** The last line that tells why, where it did not end well. */
  readonly said: string;
}

/** Starts it and runs what is left there. */
export async function runCellsInMachine(
  kernel: KernelChoice,
  left: Left,
  withZfs: boolean,
  options: OneMachineOptions,
): Promise<CellsEnd> {
  const { slow, limitMs, machines, memory, code, signal } = options;
  // What is compiled for a kernel of Debian's is there in the machine for it alone.
  const withheldModules = options.withheldModules.filter(
    (name) => withZfs || typeof kernel !== 'string' || !isCompiledModule(name),
  );
  const request: CellsRequest = { ...left, folder: '', slow, limitMs, parallel: 1 };
  let said = '';
  // One cell runs at a time, so that what its kernel says meanwhile is of that one.
  let trouble: string[] = [];
  const out = byLine((line) => {
    const event = parseEventLine(line);
    if (event === undefined) return;
    if (event.event === 'begins') trouble = [];
    options.emit(event.event === 'cell' ? { ...event, cell: withTrouble(event.cell, trouble) } : event);
  });
  const err = byLine((line) => {
    if (line.trim() !== '') said = line;
  });
  const silenceMs = limitMs + SLACK_MS;
  const ended = await runInMachine({
    kernel,
    command: ['tsengine', CELLS_COMMAND, '--cells', JSON.stringify(request), '--disk', '/dev/lab/disk1'],
    // The same code as here: the machine has both, and sources take many times as long to start.
    env: { TSENGINE_SOURCES: isBundle() ? '0' : '1' },
    cpus: Math.max(1, Math.min(2, Math.floor(availableParallelism() / machines))),
    ...(withZfs ? { with: ['zfs' as const] } : {}),
    disks: [DISK],
    bootTimeoutMs: BOOT_MS,
    // The limit of a cell is kept in the machine, by a kernel that may hang itself.
    silenceMs,
    timeoutMs: Math.min(2 ** 31 - 1, silenceMs * (left.cells.length + left.features.length)),
    onConsole: (line) => {
      if (trouble.length < MOST_TROUBLE && isTrouble(line)) trouble.push(line);
    },
    onOutput: (stream, data) => (stream === 'stdout' ? out(data) : err(data)),
    // At once: a machine that dies later has booted as well.
    onStart: (bootMs) => options.emit({ event: 'booted', seconds: Math.round(bootMs / 100) / 10 }),
    onProgress: (line) => options.note(line),
    onNotice: (line) => options.notice(line),
    ...(memory === undefined ? {} : { memory }),
    ...(code === undefined ? {} : { code }),
    ...(withheldModules.length === 0 ? {} : { withheldModules, passOverLacking: true }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { exitCode: ended.exitCode, said: ended.shortage ?? said };
}
