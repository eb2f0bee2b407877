/** A running QEMU: its process, its console, its two sockets, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { Duplex, type Readable } from 'node:stream';
import { hasErrno, TsengineError } from '../errors.ts';
import { closeFd } from '../linux/at.ts';
import { makePipe } from '../linux/spawn.ts';
import { AGENT_DEVICE, descriptors, qemuProgram } from './qemu.ts';
import { dyingWithUs, killGroup, missingProgram, programEnv, reasonOf } from './run-program.ts';

const PURPOSE = 'cannot start a machine';

/** What QEMU's monitor tells that matters here: the disk below the machine's is full or fails, or the agent has closed its port. */
export type MonitorEvent = 'disk-full' | 'disk-error' | 'agent-gone';

/** What a line of the monitor tells; `undefined` for what does not matter. Source: QEMU's QMP reference, `BLOCK_IO_ERROR`, `VSERPORT_CHANGE`. */
function eventOf(line: string): MonitorEvent | undefined {
  if (line.includes('"BLOCK_IO_ERROR"')) return /"nospace": ?true/.test(line) ? 'disk-full' : 'disk-error';
  const isAgentGone =
    line.includes('"VSERPORT_CHANGE"') && line.includes(`"${AGENT_DEVICE}"`) && /"open": ?false/.test(line);
  return isAgentGone ? 'agent-gone' : undefined;
}

/** How a QEMU ended. */
export interface QemuEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said itself, in one line, if anything. */
  readonly complaint: string | undefined;
}

/** A QEMU that was started. */
export class QemuProcess {
  readonly console: Readable;
  readonly agent: Duplex;
  /** Settles when the process has ended and its sockets are read to their ends; fails when it could not be started. */
  readonly ended: Promise<QemuEnd>;
  readonly #child: ChildProcess;
  readonly #monitor: Duplex;

  /** Starts QEMU; files without a name that it makes are in `temporary`. It ends when this process does. */
  constructor(args: readonly string[], temporary: string, onEvent: (event: MonitorEvent) => void) {
    const [first = '', ...words] = [...dyingWithUs(), qemuProgram(), ...args];
    // QEMU drops what its serial port cannot get rid of. It writes byte by byte, of which a socket holds some 280, a pipe 64 KiB.
    const pipe = makePipe();
    this.console = new Socket({ fd: pipe.read, readable: true, writable: false }).on(
      'error',
      () => undefined,
    );
    try {
      this.#child = spawn(first, words, {
        env: programEnv({ TMPDIR: temporary }),
        stdio: ['ignore', 'ignore', 'pipe', pipe.write, 'pipe', 'pipe'],
        detached: true,
      });
    } finally {
      closeFd(pipe.write);
    }
    const isRead = new Promise((resolve) => this.console.once('close', resolve));
    this.ended = endOf(this.#child).then(async (end) => {
      await isRead;
      return end;
    });
    // Whoever waits for the end hears of a failure; nobody else has to.
    this.ended.catch(() => undefined);
    this.agent = socket(this.#child, descriptors.agent);
    this.#monitor = socket(this.#child, descriptors.monitor);
    this.#listen(onEvent);
  }

  /** `undefined` when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends it as a power cut ends a machine. What it wrote to its disks' files is in them. Never fails. */
  kill(): void {
    killGroup(this.#child);
  }

  #listen(onEvent: (event: MonitorEvent) => void): void {
    let text = '';
    this.#monitor.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const event = eventOf(line);
        if (event !== undefined) onEvent(event);
      }
    });
    this.#monitor.write('{"execute":"qmp_capabilities"}\n');
  }
}

/** Our end of one of QEMU's sockets. That it breaks when QEMU ends is no error. */
function socket(child: ChildProcess, descriptor: number): Duplex {
  const stream = child.stdio[descriptor];
  if (!(stream instanceof Duplex)) throw new TsengineError('System', `${PURPOSE}: no socket for QEMU`);
  return stream.on('error', () => undefined);
}

function endOf(child: ChildProcess): Promise<QemuEnd> {
  let complaint = '';
  child.stderr?.on('data', (data: Buffer) => {
    complaint = (complaint + data.toString()).slice(-10_000);
  });
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(hasErrno(error, 'ENOENT') ? missingProgram('setpriv', PURPOSE) : error),
    );
    child.on('close', (code, signal) => {
      if (code === 127 && complaint.includes(qemuProgram())) reject(missingProgram(qemuProgram(), PURPOSE));
      else resolve({ code, signal, complaint: reasonOf(complaint.replaceAll(/.*warning: .*\n/g, '')) });
    });
  });
}
