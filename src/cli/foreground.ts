/** A container in the foreground: its output is ours, our input and signals are its. */
import { constants } from 'node:os';
import type { Attachment, Engine } from '../engine/api/services.ts';
import { hasErrno } from '../errors.ts';
import { writeOut } from './output.ts';
import { readStandardInput } from './streams.ts';

/** What of the container's standard streams is connected, and whether signals are passed on. */
export interface ForegroundOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly signalProxy: boolean;
  /** Called when the container runs: what fails from then on fails without it. */
  readonly started?: () => void;
}

/**
 * Starts the container, shows its output until it ends and gives its exit code. Throws what `start` throws, with the
 * exit code 125, 126 or 127 that belongs to it. When its output cannot be written, because nobody reads it or the disk is
 * full, this command fails once the container runs; the container is left to conmon, as Docker leaves it to its daemon.
 */
export async function runInForeground(
  engine: Engine,
  id: string,
  options: ForegroundOptions,
): Promise<number> {
  using signals = options.signalProxy ? proxySignals(engine, id) : noSignals;
  const attached: Attachment[] = [];
  const detach = () => {
    for (const attachment of attached.splice(0)) attachment[Symbol.dispose]();
  };
  // Node waits for its threads when it ends, and one of them waits for the container's output.
  process.once('exit', detach);
  let output: Promise<void> = Promise.resolve();
  try {
    await engine.containers.start(id, {
      attach: (attachment) => {
        attached.push(attachment);
        output = showOutput(attachment, options);
        // Whether it failed is looked at below, when the container runs.
        output.catch(() => undefined);
        if (options.stdin) void passInput(attachment);
      },
    });
    options.started?.();
    signals.begin();
    const [code] = await Promise.all([engine.containers.wait(id), output]);
    return code;
  } finally {
    process.off('exit', detach);
    detach();
    if (options.stdin) process.stdin.destroy();
  }
}

async function showOutput(attachment: Attachment, options: ForegroundOptions): Promise<void> {
  for await (const { stream, data } of attachment.output()) {
    if (stream === 'stdout' && options.stdout) await writeOut(1, data);
    if (stream === 'stderr' && options.stderr) await writeOut(2, data);
  }
}

/** Ends quietly when the container or our input does: what the container did not want to read is nobody's failure. */
async function passInput(attachment: Attachment): Promise<void> {
  try {
    for await (const chunk of readStandardInput()) await attachment.write(chunk);
    await attachment.endInput();
  } catch (error) {
    if (!hasErrno(error, 'EPIPE', 'ENOTCONN', 'ERR_STREAM_PREMATURE_CLOSE')) {
      process.stderr.write(
        `tsengine: standard input: ${error instanceof Error ? error.message : String(error)}\n`,
      );
    }
  }
}

/** Signals on their way to the container. */
interface SignalProxy extends Disposable {
  /** The container runs: what came before is sent now. */
  begin(): void;
}

const noSignals: SignalProxy = { begin: () => undefined, [Symbol.dispose]: () => undefined };

/** Signals that are about ourselves, that cannot be caught, or that Node and its debugger use. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  ...[
    'SIGKILL',
    'SIGSTOP',
    'SIGCHLD',
    'SIGPIPE',
    'SIGURG',
    'SIGPROF',
    'SIGVTALRM',
    'SIGWINCH',
    'SIGIO',
    'SIGPOLL',
  ],
  ...[
    'SIGBUS',
    'SIGFPE',
    'SIGSEGV',
    'SIGILL',
    'SIGABRT',
    'SIGIOT',
    'SIGTRAP',
    'SIGSYS',
    'SIGUNUSED',
    'SIGSTKFLT',
  ],
]);

function isSignal(name: string): name is NodeJS.Signals {
  return name in constants.signals;
}

/** As many SIGINT and SIGTERM as somebody sends before they mean us. The number is that of newer docker clients. */
const MAX_ASKED = 3;

/**
 * Ends this command. A container that runs is left to itself: it did not want to end, and conmon watches it. One that was
 * still being started never runs, and the next command clears it up.
 */
function leave(id: string, running: boolean): never {
  const short = id.slice(0, 12);
  const rest = running
    ? `container ${short} goes on: end it with tsengine kill ${short}`
    : `container ${short} was not started`;
  process.stderr.write(`tsengine: got ${MAX_ASKED} signals; ${rest}\n`);
  process.exit(1);
}

/** Passes every signal on to the container until disposed of. One that comes before the container runs is sent once it does. */
function proxySignals(engine: Engine, id: string): SignalProxy {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const early: NodeJS.Signals[] = [];
  let running = false;
  let asked = 0;
  // A container that has ended in the meantime has no use for it.
  const send = (name: NodeJS.Signals) => void engine.containers.kill(id, name).catch(() => undefined);
  for (const name of Object.keys(constants.signals)) {
    if (NOT_PASSED_ON.has(name) || !isSignal(name)) continue;
    const listener = () => {
      if ((name === 'SIGINT' || name === 'SIGTERM') && ++asked === MAX_ASKED) leave(id, running);
      if (running) send(name);
      else early.push(name);
    };
    process.on(name, listener);
    listeners.set(name, listener);
  }
  return {
    begin: () => {
      running = true;
      for (const name of early.splice(0)) send(name);
    },
    [Symbol.dispose]: () => {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}
