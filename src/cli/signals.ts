/** What signals do to a command that has a container in the foreground, or something to clear up. */
import { constants } from 'node:os';
import type { Engine } from '../engine/api/services.ts';

/** Signals on their way, to the container or to this command. Disposed of when the container has ended. */
export interface Signals extends Disposable {
  /** The container is on record as running: what came before takes effect now. */
  begin(): void;
}

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

/** What ends a command that people or their programs no longer want. */
const ENDING: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'];

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
export function passSignalsOn(engine: Engine, id: string): Signals {
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

/**
 * Holds signals that end this command back until the container is on record as running, and lets them end it then: its
 * output is seen before the record is written, and whoever acts on that output must not have the start undone.
 *
 * A listener stays until its signal comes: the kernel's signal reaches JavaScript a moment later, and one whose listener
 * goes in that moment would be lost.
 */
export function holdSignals(): Signals {
  const early: NodeJS.Signals[] = [];
  let isHeld = true;
  const listeners = new Map<NodeJS.Signals, () => void>();
  // Without a listener the signal does what it does to any program.
  const take = (name: NodeJS.Signals): void => {
    const listener = listeners.get(name);
    if (listener !== undefined) process.off(name, listener);
    process.kill(process.pid, name);
  };
  for (const name of ENDING) {
    const listener = () => (isHeld ? void early.push(name) : take(name));
    process.on(name, listener);
    listeners.set(name, listener);
  }
  const begin = (): void => {
    isHeld = false;
    for (const name of early.splice(0)) take(name);
  };
  return { begin, [Symbol.dispose]: begin };
}

/** Has something cleared up before a signal ends this command, until disposed of. */
export function cleanUpOnSignals(cleanUp: () => void): Disposable {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const stop = (): void => {
    for (const [name, listener] of listeners) process.off(name, listener);
  };
  for (const name of ENDING) {
    const listener = () => {
      stop();
      try {
        cleanUp();
      } finally {
        // Without a listener the signal does what it does to any program.
        process.kill(process.pid, name);
      }
    };
    process.on(name, listener);
    listeners.set(name, listener);
  }
  return { [Symbol.dispose]: stop };
}
