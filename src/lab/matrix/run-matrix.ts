/** The whole matrix: its kernels side by side, as much at once as there are jobs, and the file that makes it resumable. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { DriverName } from '../../drivers/driver.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { buildInfo } from '../../version.ts';
import type { LabContext } from '../context.ts';
import type { OwnKernel } from '../types.ts';
import { destroyPools } from './backing-zfs.ts';
import { cellsOf } from './cells.ts';
import { mustBeRoot } from './cells-here.ts';
import type { MatrixEvent } from './events.ts';
import { NOTHING_WRITTEN } from './features.ts';
import { holdKernel } from './held-kernel.ts';
import { HOST } from './kernel-names.ts';
import { runKernel } from './kernel-run.ts';
import { choiceOf, kernelIdentity } from './own-kernel.ts';
import { mustBeSameCode, packCode } from './packed-code.ts';
import { type KeyedKernel, planOf } from './plan.ts';
import { pooled } from './pool.ts';
import { openProgressFile } from './progress-file.ts';
import { resultKeys } from './result-keys.ts';
import { type Backing, type KernelResult, MATRIX_VERSION, type Matrix } from './schema.ts';
import { codeIdentity } from './self.ts';

/** What a matrix is made of. */
export interface MatrixRequest {
  /** `host`, `debian:6.1` and so on, or a path. */
  readonly kernels: readonly string[];
  /** The modules and the initial RAM disk of kernels given by a path. */
  readonly ownParts: Omit<OwnKernel, 'path'>;
  readonly drivers: readonly DriverName[];
  readonly backings: readonly Backing[];
  readonly slow: boolean;
  /** Where the run keeps what it has found. Made when it is not there. */
  readonly out: string;
  /** Whether what an earlier run found there is thrown away. */
  readonly fresh: boolean;
  /** How long one cell may take, in milliseconds. */
  readonly limitMs: number;
  /** How many run at once; as many as there are processors when not given. */
  readonly parallel?: number | undefined;
  /** Bytes, for virtual machines. */
  readonly memory?: number | undefined;
  /** Modules that the kernels of virtual machines do without. */
  readonly withheldModules: readonly string[];
  /** The command that is on record as what made the matrix. */
  readonly command: string;
  readonly signal?: AbortSignal | undefined;
}

/** Told while it goes on. */
export interface MatrixListener {
  /** How many cells there are, and how many of them are known from an earlier run. */
  begins(total: number, known: number): void;
  /** Something is new on a kernel. */
  event(kernel: string, event: MatrixEvent): void;
  /** Something takes long before anything runs. */
  note(kernel: string, line: string): void;
  /** Something is worth knowing, and stays so. */
  warns(line: string): void;
}

/** Runs it. What is done is in `out` at once, and a run started again skips it. The first failure ends all that runs. */
export async function runMatrix(request: MatrixRequest, listener: MatrixListener): Promise<Matrix> {
  const { drivers, backings, out, memory, parallel: jobs = availableParallelism() } = request;
  const kernels = chosenKernels(request);
  if (kernels.some(({ choice }) => choice === HOST)) mustBeRoot();
  const code = codeIdentity();
  using progress = openProgressFile(out, request.fresh);
  const told = new Set<string>();
  const warn = (line: string): void => {
    // After each cell it would be the same.
    if (!told.has(line)) listener.warns(line);
    told.add(line);
  };
  using images = workFolder(resolve(out, '.tsengine-matrix-images'), warn);
  const packed = kernels.some(({ choice }) => choice !== HOST)
    ? await packCode(`${images.path}/code`, contextOf(request, listener, 'code'))
    : undefined;
  using held = new DisposableStack();
  const keyed: KeyedKernel[] = [];
  for (const { name, choice } of kernels) {
    const context = contextOf(request, listener, name);
    const kernel = held.use(await holdKernel(choice, context));
    const conditions = conditionsOf(
      request,
      choice === HOST ? code : (packed?.identity ?? ''),
      kernel.identity,
    );
    // Of a kernel that cannot be had nothing is kept, and the cache may be what is amiss.
    const keys = kernel.failure === null ? resultKeys(conditions, kernel.choice, context) : undefined;
    const known = (keys?.all() ?? []).flatMap((key) => progress.known(key)).filter(isSettled);
    keyed.push({ name, choice: kernel.choice, keys, known, failure: kernel.failure });
  }
  const wanted = { cells: cellsOf(drivers, backings), features: [null, ...backings] };
  const plan = planOf(wanted, keyed, { jobs, memory, available: process.availableMemory() });
  listener.begins(plan.total, plan.known);
  if (plan.shortage !== undefined) listener.warns(plan.shortage);
  const results = await allOf(plan.works, request.signal, async (work, signal) => {
    const { slow, limitMs, withheldModules } = request;
    const emit = (event: MatrixEvent): void => {
      if (isKept(event)) {
        if (work.choice === HOST) mustBeSameCode(code);
        for (const key of work.keys?.of(event) ?? []) progress.add(key, event);
      }
      listener.event(work.name, event);
    };
    return await runKernel(work, {
      ...plan.together,
      ...{ slow, limitMs, memory, withheldModules, signal, emit },
      ...{ folder: images.path, code: packed?.disk },
      note: (line) => listener.note(work.name, line),
      warn,
    });
  });
  return matrixOf(request, results);
}

/** The kernels by name, each once. What the user named wrong is told here, before anything is made. */
function chosenKernels({ kernels, ownParts }: MatrixRequest): Pick<KeyedKernel, 'name' | 'choice'>[] {
  return [...new Set(kernels)].map((name) => {
    const choice = choiceOf(name, ownParts);
    kernelIdentity(choice);
    return { name, choice };
  });
}

/** Does the work for all at once, and gives what it comes to in their order. The first failure aborts the others, and is thrown when they have ended. */
async function allOf<T, R>(
  items: readonly T[],
  given: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(given === undefined ? [] : [given])]);
  const results = new Map<T, R>();
  await pooled(items, items.length, async (item) => {
    try {
      results.set(item, await work(item, signal));
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  return items.flatMap((item) => results.get(item) ?? []);
}

/** What makes a result another one; result-keys.ts adds what is in the machines. */
function conditionsOf(request: MatrixRequest, code: string, kernel: string): string {
  const { slow, withheldModules, memory = '', limitMs } = request;
  return [code, kernel, slow, withheldModules.join(), memory, limitMs].join(' ');
}

function matrixOf({ command, slow }: MatrixRequest, kernels: KernelResult[]): Matrix {
  const { version, gitCommit } = buildInfo();
  return {
    version: MATRIX_VERSION,
    made: new Date().toISOString(),
    tsengine: { version, commit: gitCommit },
    command,
    slow,
    kernels,
  };
}

function contextOf({ signal }: MatrixRequest, { note }: MatrixListener, name: string): LabContext {
  return { progress: (line) => note(name, line), signal };
}

/** A folder that is gone afterwards; what a run that was killed left in it goes now, pools of ZFS on its images among it. */
function workFolder(path: string, warn: (line: string) => void): Disposable & { readonly path: string } {
  destroyPools(path, warn);
  removeTree(path);
  return { path, [Symbol.dispose]: () => removeTree(path) };
}

function isKept({ event }: MatrixEvent): boolean {
  return event === 'kernel' || event === 'booted' || event === 'features' || event === 'cell';
}

/**
 * Whether another run would come to the same. What failed may have done so for want of time or room, and what could not be
 * had or tried may be there once somebody has installed it.
 */
export function isSettled(event: MatrixEvent): boolean {
  if (event.event === 'cell') return event.cell.status !== 'failed' && event.cell.status !== 'unavailable';
  if (event.event !== 'features') return true;
  return event.features.every(({ answer, reason }) => answer !== 'unknown' || reason === NOTHING_WRITTEN);
}
