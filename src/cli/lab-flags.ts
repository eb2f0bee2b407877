/** The flags that the commands of `tsengine lab` share, and what ends them. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import type { Command } from 'commander';
import { TsengineError } from '../errors.ts';
import type { KernelChoice, LabFeature, MachineResult } from '../lab/lab.ts';
import { labFeatures } from '../lab/types.ts';
import { fileErrorText, parseFlag } from './flags/flag-error.ts';
import { nameList } from './flags/name-list.ts';
import { positive } from './flags/positive.ts';
import { ramInBytes } from './format/units.ts';
import { listOption } from './options.ts';

/** Which kernel and which features. */
export interface KernelFlags {
  readonly kernel: string;
  readonly modules?: string;
  readonly initrd?: string;
  readonly with: readonly string[];
}

/** What the machine is made of. */
export interface MachineFlags extends KernelFlags {
  readonly memory: string;
  readonly cpus?: string;
  readonly disk: readonly string[];
  readonly env: readonly string[];
  readonly withhold: readonly string[];
  readonly append: readonly string[];
  readonly console?: string;
  readonly timeout?: string;
  readonly bootTimeout: string;
  readonly results?: string;
}

/** Adds the flags of `KernelFlags`. */
export function kernelFlags(command: Command): Command {
  return command
    .option(
      '-k, --kernel <kernel>',
      'host, debian:5.10, debian:6.1, debian:6.12, debian:7.2, debian:bookworm-backports or another SUITE, or the path of a bzImage (default "debian:6.1")',
      'debian:6.1',
    )
    .option('--modules <dir>', "The folder with the modules of one's own kernel")
    .option('--initrd <file>', 'An initial RAM disk whose files are there beside those of the lab')
    .addOption(listOption('-w, --with <list>', 'What the machine has besides: docker, lvm, systemd, zfs'));
}

/** Adds the flags of `MachineFlags`; `timeout` is the default of that flag, empty for none. */
export function machineFlags(command: Command, timeout: string): Command {
  const limit = timeout === '' ? undefined : timeout;
  return kernelFlags(command)
    .option('-m, --memory <bytes>', 'Memory of the machine (default "2G")', '2G')
    .option('--cpus <int>', 'Processors of the machine (default 2, or what there are)')
    .addOption(
      listOption('--disk <bytes>', 'An additional empty disk of this size, /dev/lab/disk1 and so on'),
    )
    .addOption(listOption('-e, --env <list>', 'Set environment variables'))
    .addOption(listOption('--withhold <list>', 'Modules that the kernel refuses to load'))
    .addOption(
      listOption(
        '--append <words>',
        "Words for the kernel's command line, as loglevel=7, after the lab's own",
      ),
    )
    .option('--console <file>', "Write all of the machine's console to this file of ours")
    .option(
      '--boot-timeout <seconds>',
      'End a machine that takes longer to start the command (default 300)',
      '300',
    )
    .option(
      '--results <dir>',
      "Copy what the command leaves in the machine's /results to this folder of ours",
    )
    .option(
      '-t, --timeout <seconds>',
      `End the machine when the command takes longer (default ${limit ?? 'none'})`,
      limit,
    );
}

/** Where the lab keeps what it makes, and where it is described; for the ends of help texts. */
export const ABOUT_CACHE = `What is made for machines is kept in .cache/lab of a checkout, in
/var/cache/tsengine/lab of an installed package, or in TSENGINE_LAB_CACHE.
docs/lab.md says more.`;

/** The kernel that the flags name. */
export function kernelChoice({ kernel, modules, initrd }: KernelFlags): KernelChoice {
  parseFlag('-k, --kernel', kernel, named('it must name a kernel: see tsengine lab kernels'));
  if (modules !== undefined) parseFlag('--modules', modules, named('it must name a folder'));
  if (initrd !== undefined) parseFlag('--initrd', initrd, named('it must name a file'));
  if (modules === undefined && initrd === undefined) return kernel;
  if (!kernel.includes('/')) {
    const flag = modules === undefined ? '--initrd' : '--modules';
    throw new TsengineError(
      'InvalidParameter',
      `${flag} goes with a kernel of your own, given by its path: --kernel ${kernel} is none`,
    );
  }
  return {
    path: kernel,
    ...(modules === undefined ? {} : { modules }),
    ...(initrd === undefined ? {} : { initrd }),
  };
}

/** The features that the flags name, each once. */
export function features({ with: lists }: KernelFlags): readonly LabFeature[] {
  const names = lists.flatMap((list) => nameList('-w, --with', list));
  return [...new Set(names)].map((name) => {
    const found = labFeatures.find((feature) => feature === name);
    if (found !== undefined) return found;
    throw new TsengineError(
      'InvalidParameter',
      `a machine can be had with ${labFeatures.join(', ')}, not with ${name}`,
    );
  });
}

/** What of a machine's request the flags say. */
export function machineOf(flags: MachineFlags) {
  const { cpus, timeout, results } = flags;
  return {
    kernel: kernelChoice(flags),
    with: features(flags),
    memory: parseFlag('-m, --memory', flags.memory, ramInBytes),
    disks: flags.disk.map((size) => parseFlag('--disk', size, ramInBytes)),
    env: Object.fromEntries(flags.env.map((pair) => parseFlag('-e, --env', pair, variable))),
    kernelWords: flags.append.map((words) => parseFlag('--append', words, kernelWords)),
    withheldModules: flags.withhold.flatMap((list) => nameList('--withhold', list)),
    bootTimeoutMs: 1000 * positive('--boot-timeout', flags.bootTimeout),
    ...(cpus === undefined ? {} : { cpus: positive('--cpus', cpus) }),
    ...(timeout === undefined ? {} : { timeoutMs: 1000 * positive('-t, --timeout', timeout) }),
    ...(results === undefined
      ? {}
      : { results: parseFlag('--results', results, named('it must name a folder')) }),
  };
}

/** Takes any value but an empty one, of which it says what it must be. */
export function named(what: string): (text: string) => string {
  return (text) => {
    if (text.trim() !== '') return text;
    throw new TsengineError('InvalidParameter', what);
  };
}

function kernelWords(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  throw new TsengineError('InvalidParameter', 'it must be printable ASCII');
}

function variable(pair: string): readonly [name: string, value: string] {
  const split = pair.indexOf('=');
  if (split > 0) return [pair.slice(0, split), pair.slice(split + 1)];
  const value = process.env[pair];
  if (split < 0 && value !== undefined) return [pair, value];
  throw new TsengineError(
    'InvalidParameter',
    'it must be NAME=VALUE, or the name of a variable that is set here',
  );
}

/** Tells on standard error what takes its time; `quiet` where nobody asked for it. */
export function tellProgress(quiet = false): (line: string) => void {
  return (line) => {
    if (!quiet) process.stderr.write(`tsengine: ${line}\n`);
  };
}

/** Tells what people should know, on standard error. */
export function tellNotice(line: string): void {
  process.stderr.write(`tsengine: ${line}\n`);
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How long after the first signal another one is taken for the same: timeout(1) sends its own twice. Milliseconds. */
const ECHO = 1000;

/**
 * Does `work` with a signal that Ctrl-C and other ends of this command abort, so that it can end its machine and remove what is
 * half made. A second one, a second later or more, ends the command at once: the kernel then ends the machine, and the next lab
 * removes the rest.
 */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  what = 'the machine is ended, and what is half made removed',
): Promise<T> {
  const controller = new AbortController();
  let echo: NodeJS.Timeout | undefined;
  const stopListening = (): void => {
    clearTimeout(echo);
    for (const [name, listener] of listeners) process.off(name, listener);
  };
  const listeners = ENDING.map((name) => {
    const listener = (): void => {
      if (controller.signal.aborted) return;
      echo = setTimeout(stopListening, ECHO).unref();
      const exitCode = 128 + osConstants.signals[name];
      controller.abort(
        new TsengineError('System', `got ${name}: ${what}`, {
          exitCode,
        }),
      );
    };
    process.on(name, listener);
    return [name, listener] as const;
  });
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    stopListening();
  }
}

/**
 * A file that all bytes of a machine's console go to; none where no flag names one. It is made at once and emptied when the first
 * come. No pipe and no device: one whose reader stalls would stall us, time limits and Ctrl-C with it.
 */
export class ConsoleFile implements Disposable {
  readonly #path: string;
  readonly #fd: number | undefined;
  #isBegun = false;

  constructor({ console: path }: Pick<MachineFlags, 'console'>) {
    this.#path = path ?? '';
    if (path === undefined) return;
    this.#fd = this.#do(() =>
      openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK, 0o666),
    );
    if (fstatSync(this.#fd).isFile()) return;
    closeSync(this.#fd);
    throw new TsengineError('InvalidParameter', `cannot write the console to ${path}: it is no plain file`);
  }

  /** For `MachineRequest.onConsoleData`. Fails, and so ends the machine, when the file takes no more. */
  readonly write = (data: Buffer): void => {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#do(() => {
      if (!this.#isBegun) ftruncateSync(fd);
      this.#isBegun = true;
      writeFileSync(fd, data);
    });
  };

  #do<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const why = fileErrorText(this.#path, error);
      throw new TsengineError('System', `cannot write the console to ${this.#path}: ${why}`, {
        cause: error,
      });
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

/** Runs a machine; shows the last lines of the console of one that failed, before the error does its own line. */
export async function showConsole<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { MachineError } = await import('../lab/machine-error.ts');
    if (error instanceof MachineError) await show(error.console);
    throw error;
  }
}

async function show(lines: readonly string[]): Promise<void> {
  const { toBeShown } = await import('../lab/console.ts');
  for (const line of toBeShown(lines)) process.stderr.write(`console: ${line}\n`);
}

/** Exit code of a machine whose command did well and whose results could not be copied. */
const RESULTS_LOST = 125;

/** Says what a machine was short of, after the last lines of its console, and takes its command's exit code for ours. */
export async function tellEnd({ exitCode, shortage, resultsError, console }: MachineResult): Promise<void> {
  if (shortage !== undefined) await show(console);
  for (const line of [shortage, resultsError])
    if (line !== undefined) process.stderr.write(`tsengine: ${line}\n`);
  process.exitCode = exitCode === 0 && resultsError !== undefined ? RESULTS_LOST : exitCode;
}
