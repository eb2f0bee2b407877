/** All cells of one kernel: on this machine when it is the host's own, in a virtual machine else. */
import { availableParallelism } from 'node:os';
import { errorMessage } from '../../errors.ts';
import { suiteOf } from '../kernels.ts';
import { runInMachine } from '../lab.ts';
import { MachineError } from '../machine-error.ts';
import type { KernelChoice } from '../types.ts';
import { type CellName, cellKey } from './cells.ts';
import { type CellsRequest, runCellsHere } from './cells-here.ts';
import { brokenCell, byLine, type MatrixEvent, parseEventLine } from './events.ts';
import { FEATURE_NAMES, KERNEL_FEATURE } from './features.ts';
import type { Backing, Cell, Feature, KernelResult } from './schema.ts';
import { CELLS_COMMAND, isBundle } from './self.ts';

/** The kernel that this machine runs. */
export const HOST = 'host';

/** A kernel, and what is to be run on it. */
export interface KernelWork {
  /** As `--kernels` names it. */
  readonly name: string;
  readonly choice: KernelChoice;
  readonly cells: readonly CellName[];
  /** The filesystems whose features are tried; null stands for the kernel's own. */
  readonly features: readonly (Backing | null)[];
  /** What an earlier run found already. */
  readonly known: readonly MatrixEvent[];
}

/** How it is run. */
export interface KernelOptions {
  readonly slow: boolean;
  /** A folder for images of filesystems on this machine. */
  readonly folder: string;
  /** How long one cell may take, in milliseconds. */
  readonly limitMs: number;
  /** How many cells at once on this machine. */
  readonly parallel: number;
  /** How many machines there may be at once; they share the processors. */
  readonly machines: number;
  readonly memory: number | undefined;
  /** Modules that the kernels of virtual machines do without. */
  readonly withheldModules: readonly string[];
  readonly signal: AbortSignal | undefined;
  /** Takes whatever is new. */
  emit(event: MatrixEvent): void;
  /** Takes a line for what takes long before anything is run. */
  note(line: string): void;
}

/** Bytes of the disk that a virtual machine gets for the images of filesystems. It is a sparse file. */
const DISK = 24 * 1024 ** 3;
/** How often a machine that dies is started again; each time at least one cell is done. */
const MOST_STARTS = 100;
/** How long a machine may take to boot: several of them may share a processor. */
const BOOT_MS = 900_000;

/** What is still to do. */
type Left = Pick<CellsRequest, 'cells' | 'features'>;

/** What has been found so far, and what is still to do. */
class Findings {
  kernel: Extract<MatrixEvent, { event: 'kernel' }> | undefined;
  /** How long the first machine took. */
  bootSeconds: number | null = null;
  readonly cells = new Map<string, Cell>();
  readonly features = new Map<Backing | null, readonly Feature[]>();
  /** Begun and not done, in order. */
  readonly running = new Map<string, CellName>();
  readonly #work: KernelWork;

  constructor(work: KernelWork) {
    this.#work = work;
    for (const event of work.known) this.take(event);
    this.running.clear();
  }

  take(event: MatrixEvent): void {
    if (event.event === 'kernel') this.kernel = event;
    if (event.event === 'booted') this.bootSeconds ??= event.seconds;
    if (event.event === 'features' && event.features.length > 0)
      this.features.set(event.backing, event.features);
    if (event.event === 'cell') {
      this.cells.set(cellKey(event.cell), event.cell);
      this.running.delete(cellKey(event.cell));
    }
    if (event.event === 'begins') {
      const cell = this.#work.cells.find((one) => cellKey(one) === cellKey(event));
      if (cell !== undefined) this.running.set(cellKey(event), cell);
    }
  }

  /** What is not known yet. */
  left(): Left {
    return {
      cells: this.#work.cells.filter((cell) => !this.cells.has(cellKey(cell))),
      features: this.#work.features.filter((backing) => !this.features.has(backing)),
    };
  }

  /** Whether nothing of this has been found in the meantime. */
  isUnchanged({ cells, features }: Left): boolean {
    const left = this.left();
    return (
      cells.every((cell) => left.cells.includes(cell)) &&
      features.every((backing) => left.features.includes(backing))
    );
  }

  result(error: string | null, seconds: number): KernelResult {
    const { name, cells, features } = this.#work;
    return {
      name,
      release: this.kernel?.release ?? '',
      build: this.kernel?.build ?? '',
      machine: this.kernel?.machine ?? '',
      error,
      bootSeconds: this.bootSeconds,
      seconds,
      features: features.flatMap((backing) => this.features.get(backing) ?? []),
      cells: cells.flatMap((cell) => this.cells.get(cellKey(cell)) ?? []),
    };
  }
}

/** Runs what is not known yet. A kernel that cannot be had, or dies, is a result; only an abort and a refusal of the host throw. */
export async function runKernel(work: KernelWork, options: KernelOptions): Promise<KernelResult> {
  const findings = new Findings(work);
  const emit = (event: MatrixEvent): void => {
    findings.take(event);
    options.emit(event);
  };
  const { cells, features } = findings.left();
  const cellSeconds = (): number => [...findings.cells.values()].reduce((sum, cell) => sum + cell.seconds, 0);
  if (cells.length === 0 && features.length === 0) return findings.result(null, tenths(cellSeconds() * 1000));
  if (work.choice === HOST) {
    const { folder, slow, limitMs, parallel } = options;
    await runCellsHere({ cells, features, folder, slow, limitMs, parallel }, emit, options.signal);
    return findings.result(null, tenths(cellSeconds() * 1000));
  }
  const error = await inMachines(work, findings, { ...options, emit });
  return findings.result(error, tenths(cellSeconds() * 1000));
}

/** One machine, and another one after each that a cell has brought down. Gives why it did not get to the end; null when it did. */
async function inMachines(
  work: KernelWork,
  findings: Findings,
  options: KernelOptions,
): Promise<string | null> {
  for (let start = 0; start < MOST_STARTS; start++) {
    const left = oneSort(findings.left());
    if (left.cells.length === 0 && left.features.length === 0) return null;
    try {
      const ended = await oneMachine(work, left, options);
      options.emit({ event: 'booted', seconds: tenths(ended.bootMs) });
      if (findings.isUnchanged(left)) {
        if (left.cells.length === 0) return null;
        return `the cells ended with exit code ${ended.exitCode}: ${ended.said}`;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      if (needsZfs(left) && !(error instanceof MachineError)) {
        withoutZfs(left, errorMessage(error), options);
        continue;
      }
      const blamed = [...findings.running.values()];
      if (!(error instanceof MachineError) || blamed.length === 0) return errorMessage(error);
      // What ran when the machine died is what it died of.
      for (const { driver, backing } of blamed) {
        const log = error.console.join('\n');
        options.emit({ event: 'cell', cell: brokenCell(driver, backing, errorMessage(error), log, 0) });
      }
    }
  }
  return `the machine died ${MOST_STARTS} times`;
}

/** Those on ZFS want a machine of their own, of the release that its modules are compiled in: they come last. */
function oneSort({ cells, features }: Left): Left {
  const others = {
    cells: cells.filter(({ backing }) => backing !== 'zfs'),
    features: features.filter((backing) => backing !== 'zfs'),
  };
  return others.cells.length === 0 && others.features.length === 0 ? { cells, features } : others;
}

function needsZfs({ cells, features }: Left): boolean {
  return cells.some(({ backing }) => backing === 'zfs') || features.includes('zfs');
}

/** A kernel that OpenZFS cannot be compiled for has none. */
function withoutZfs({ cells, features }: Left, why: string, { emit }: KernelOptions): void {
  const reason = `zfs cannot be had here: ${why}`;
  const tests = { passed: 0, failed: 0, excused: 0 };
  for (const cell of cells)
    emit({
      event: 'cell',
      cell: { ...cell, status: 'unavailable', reasons: [reason], tests, seconds: 0, log: reason },
    });
  for (const backing of features) {
    const untried = FEATURE_NAMES.filter((name) => name !== KERNEL_FEATURE);
    const all = untried.map((name) => ({ name, backing, answer: 'unknown' as const, reason }));
    emit({ event: 'features', backing, features: all });
  }
}

async function oneMachine(
  work: KernelWork,
  left: Left,
  options: KernelOptions,
): Promise<{ readonly bootMs: number; readonly exitCode: number; readonly said: string }> {
  const request: CellsRequest = {
    ...left,
    folder: '',
    slow: options.slow,
    limitMs: options.limitMs,
    parallel: 1,
  };
  let said = '';
  const out = byLine((line) => {
    const event = parseEventLine(line);
    if (event !== undefined) options.emit(event);
  });
  const err = byLine((line) => {
    if (line.trim() !== '') said = line;
  });
  const ended = await runInMachine({
    kernel: work.choice,
    command: ['tsengine', CELLS_COMMAND, '--cells', JSON.stringify(request), '--disk', '/dev/lab/disk1'],
    // The same code as here: the machine has both, and sources take many times as long to start.
    env: { TSENGINE_SOURCES: isBundle() ? '0' : '1' },
    cpus: Math.max(1, Math.min(2, Math.floor(availableParallelism() / options.machines))),
    ...(needsZfs(left) && typeof work.choice === 'string' ? { with: ['zfs' as const] } : {}),
    disks: [DISK],
    bootTimeoutMs: BOOT_MS,
    timeoutMs: Math.min(2 ** 31 - 1, options.limitMs * (left.cells.length + left.features.length)),
    onOutput: (stream, data) => (stream === 'stdout' ? out(data) : err(data)),
    onProgress: options.note,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.withheldModules.length === 0 ? {} : { withheldModules: options.withheldModules }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return { bootMs: ended.bootMs, exitCode: ended.exitCode, said: ended.shortage ?? said };
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}

/** A kernel that is given by a name: the host's, Debian's, or the path of a file of the user's. Fails with `InvalidParameter` on any other. */
export function kernelChoice(name: string): KernelChoice {
  if (name.includes('/')) return { path: name };
  if (name !== HOST) suiteOf(name);
  return name;
}
