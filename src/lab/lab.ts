/**
 * The kernel lab: virtual machines with other kernels, and tsengine in them. This is what the command line and the matrix
 * use; the files beside it are its parts.
 */
import { availableParallelism, machine as hostArchitecture } from 'node:os';
import { join, resolve } from 'node:path';
import { errorMessage, TsengineError } from '../errors.ts';
import { chooseAccelerator, qemuVersion, wantedAccelerator } from './accelerator.ts';
import { type HeldEntry, LabCache } from './cache.ts';
import { packagesPlan } from './code-disk.ts';
import type { LabContext } from './context.ts';
import { mustBeRoot } from './debian-tree.ts';
import { initramfsPlan } from './initramfs.ts';
import { kernelPlan, suiteOfChoice } from './kernels.ts';
import { runMachine } from './machine.ts';
import { makeDisks } from './machine-disks.ts';
import { DEFAULT_MEMORY, mustBeEnough } from './memory.ts';
import { type ModuleTable, readModules } from './modules.ts';
import { kernelWords, type MachineHardware, systemDisks } from './qemu.ts';
import { collectResults, makeResultsFolder } from './results.ts';
import { ROOT_PURPOSE, rootPlan } from './root-image.ts';
import type { KernelChoice, LabFeature, MachineRequest, MachineResult } from './types.ts';
import { mustBeWithholdable, sortWithheld } from './withheld.ts';
import { hasZfs, NoZfsError, withZfs, zfsPlan } from './zfs-modules.ts';

export { MachineError, type MachineErrorKind } from './machine-error.ts';
export type { KernelChoice, LabFeature, MachineRequest, MachineResult, OwnKernel } from './types.ts';

const DEFAULT_TIMEOUT = 300_000;

/**
 * Starts a machine, runs the command in it and ends it. Builds first what the cache has not: the kernel, its modules, the
 * root image; two who need the same build it once. Several machines may run at once.
 *
 * Fails with `MachineError` (see machine-error.ts: `kind` is `panic`, `no-boot`, `timeout`, `ended`, `host-disk`…) when
 * the machine and not the command is to blame, and with another `TsengineError` when it could not be started. Whatever
 * happens, the machine has ended when the promise settles, and it ends when this process does.
 */
export async function runInMachine(request: MachineRequest): Promise<MachineResult> {
  checkRequest(request);
  qemuVersion();
  wantedAccelerator();
  const context = contextOf(request);
  const cache = new LabCache(context);
  // Whoever names no kernel is told so, and left no folder.
  kernelPlan(request.kernel, cache, context);
  if (request.results !== undefined) makeResultsFolder(request.results);
  using images = await holdImages(request.kernel, request.with ?? [], cache, context);
  const withheld = withheldModules(request, images.moduleTable);
  const accelerator = await chooseAccelerator(images, cache, context);
  using folder = await cache.workFolder('machine');
  const { code, results, others } = await makeDisks(request, folder.path, context);
  const hardware: MachineHardware = {
    accelerator,
    kernel: images.kernel,
    initramfs: images.initramfs,
    kernelWords: [...kernelWords(request.with ?? [], withheld), ...(request.kernelWords ?? [])],
    memory: request.memory ?? DEFAULT_MEMORY,
    cpus: request.cpus ?? Math.min(2, availableParallelism()),
    disks: [...systemDisks({ ...images, code }), ...others],
  };
  const { timeoutMs = DEFAULT_TIMEOUT, bootTimeoutMs = DEFAULT_TIMEOUT } = request;
  const work = { ...request, timeoutMs, bootTimeoutMs, env: { ...withoutUdev(request), ...request.env } };
  const bring = (): Promise<string | undefined> => bringResults(results, request);
  let result: MachineResult;
  try {
    result = await runMachine(hardware, work, folder.path);
  } catch (error) {
    const lost = await bring();
    if (lost !== undefined) notice(request)(lost);
    throw error;
  }
  return { ...result, resultsError: await bring() };
}

/** Copies the results to their folder. Gives the line that says why they are not, or not all, there; fails only when the caller wants no more. */
async function bringResults(
  image: string | undefined,
  { results, signal, ...tell }: MachineRequest,
): Promise<string | undefined> {
  if (image === undefined || results === undefined) return undefined;
  // A caller who has ended the machine still wants to see what it left, and may end us.
  const end = signal?.aborted === true ? undefined : signal;
  try {
    const left = await collectResults(image, resolve(results), end);
    if (left !== undefined) notice(tell)(left);
    return undefined;
  } catch (error) {
    end?.throwIfAborted();
    return errorMessage(error);
  }
}

/** LVM waits for udev to make its nodes, which only systemd brings; it makes them itself when it is told. */
function withoutUdev({ with: features = [] }: MachineRequest): Readonly<Record<string, string>> {
  return features.includes('lvm') && !features.includes('systemd') ? { DM_DISABLE_UDEV: '1' } : {};
}

function notice({
  onNotice,
  onProgress,
}: Pick<MachineRequest, 'onNotice' | 'onProgress'>): (line: string) => void {
  return onNotice ?? onProgress ?? (() => undefined);
}

/** Makes what machines with this kernel and these features need, anew when `fresh`. Gives the names of the entries. */
export async function buildImages(
  kernel: KernelChoice,
  features: readonly LabFeature[],
  options: Pick<MachineRequest, 'onProgress' | 'signal'> & { readonly fresh?: boolean },
): Promise<readonly string[]> {
  checkHost();
  const context = contextOf(options);
  using images = await holdImages(kernel, features, new LabCache(context), context, options.fresh === true);
  return images.names;
}

/** The images of a machine, held in the cache. */
interface HeldImages extends Disposable {
  readonly names: readonly string[];
  readonly kernel: string;
  readonly initramfs: string;
  readonly root: string;
  readonly modules: string;
  readonly packages: string;
  readonly moduleTable: ModuleTable;
}

async function holdImages(
  choice: KernelChoice,
  features: readonly LabFeature[],
  cache: LabCache,
  context: LabContext,
  fresh = false,
): Promise<HeldImages> {
  const held: HeldEntry[] = [];
  const hold = async (...args: Parameters<LabCache['hold']>): Promise<HeldEntry> => {
    const entry = await cache.hold(...args);
    held.push(entry);
    return entry;
  };
  const release = (): void => {
    for (const entry of held) entry[Symbol.dispose]();
  };
  const kernelEntry = kernelPlan(choice, cache, context);
  const suite = suiteOfChoice(choice);
  const rootImage = rootPlan(features, cache, context, suite);
  if (fresh || cache.has(rootImage) === undefined) mustBeRoot(ROOT_PURPOSE);
  try {
    const kernel = await hold(kernelEntry, fresh);
    const initramfs = await hold(initramfsPlan(kernel));
    const packages = await hold(packagesPlan(context));
    const modules =
      features.includes('zfs') && !hasZfs(kernel)
        ? await hold(zfsPlan(kernel, compiledIn(suite, kernel), cache, context))
        : kernel;
    const root = await hold(rootImage, fresh);
    return {
      names: held.map(({ name }) => name),
      kernel: join(kernel.folder, 'vmlinuz'),
      modules: join(modules.folder, 'modules.squashfs'),
      initramfs: join(initramfs.folder, 'initramfs.cpio'),
      packages: join(packages.folder, 'packages.squashfs'),
      root: join(root.folder, 'root.ext4'),
      moduleTable: modules === kernel ? modulesOf(kernel) : withZfs(modulesOf(kernel)),
      [Symbol.dispose]: release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

function modulesOf(kernel: HeldEntry): ModuleTable {
  return readModules(join(kernel.folder, 'lib/modules', kernel.record.details.release ?? ''));
}

/** The release that zfs is compiled in for a kernel. */
function compiledIn(suite: string | undefined, kernel: HeldEntry): string {
  if (suite !== undefined) return suite;
  throw new NoZfsError(
    `the kernel ${kernel.record.details.release ?? ''} has no module zfs, and the lab compiles it for Debian's kernels only: give --modules with zfs in it, or take one of tsengine lab kernels`,
  );
}

/** The modules that are withheld. What of them cannot be is a mistake, or is told where the request passes over it. */
function withheldModules(request: MachineRequest, table: ModuleTable): readonly string[] {
  const { names, others } = sortWithheld(request.withheldModules ?? [], table);
  const [first] = others;
  if (first !== undefined && request.passOverLacking !== true) throw first;
  for (const { message } of others) notice(request)(message);
  return names;
}

function contextOf({ onProgress, signal }: Pick<MachineRequest, 'onProgress' | 'signal'>): LabContext {
  return { progress: onProgress ?? (() => undefined), signal };
}

function checkRequest(request: MachineRequest): void {
  const invalid = (message: string): never => {
    throw new TsengineError('InvalidParameter', message);
  };
  checkHost();
  const {
    memory = DEFAULT_MEMORY,
    cpus = 1,
    timeoutMs = 1,
    bootTimeoutMs = 1,
    disks = [],
    command,
    withheldModules = [],
  } = request;
  if (command.length === 0 || command[0] === '') invalid('no command was given for the machine');
  if (command.some((word) => word.includes('\0'))) invalid('a word of the command contains a zero byte');
  mustBeEnough(memory);
  if (!(Number.isInteger(cpus) && cpus >= 1 && cpus <= 64))
    invalid(`a machine has 1 to 64 processors, not ${cpus}`);
  for (const time of [timeoutMs, bootTimeoutMs])
    if (!(time > 0 && time <= LONGEST_TIMER))
      invalid(`a machine's time is more than 0 and at most ${Math.floor(LONGEST_TIMER / 1000)} seconds`);
  if (!disks.every((size) => size >= 2 ** 20)) invalid('a disk of a machine has 1M or more');
  if (disks.length > 16) invalid(`a machine has up to 16 additional disks, not ${disks.length}`);
  mustBeWithholdable(withheldModules);
}

/** Milliseconds that Node's timers can count: above that they are over at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

function checkHost(): void {
  if (hostArchitecture() !== 'x86_64')
    throw new TsengineError(
      'Unavailable',
      `the lab's machines are x86-64, and this machine is ${hostArchitecture()}`,
    );
}
