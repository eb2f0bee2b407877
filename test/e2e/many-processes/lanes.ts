/** The processes: commands that come and go, and processes that keep the engine open. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestBundle } from '../../helpers/bundle.ts';
import { type Ending, type Operation, SCRIPT_CODE, saidBy, wordsOf } from './operation.ts';

/** The roots that all work on. */
export interface Roots {
  readonly driver: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly configFile: string;
}

/** What carries out one operation after the other. */
export interface Lane {
  carryOut(operation: Operation): Promise<Ending>;
  /** The process that is at work; `undefined` between operations of a lane of commands. */
  readonly pid: number | undefined;
  /** Kills the process that is at work with SIGKILL. */
  kill(): void;
  close(): Promise<void>;
}

/** The arguments that lead to the roots. */
export function globals(roots: Roots): string[] {
  return [
    `--storage-driver=${roots.driver}`,
    `--data-root=${roots.dataRoot}`,
    `--exec-root=${roots.execRoot}`,
    `--config-file=${roots.configFile}`,
  ];
}

/** How a command ended. */
export interface CommandEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command of the bundle; `started` gets the process. */
export async function command(
  bundle: TestBundle,
  roots: Roots,
  words: readonly string[],
  started: (child: ChildProcess) => void = () => {},
): Promise<CommandEnd> {
  const [program = '', ...rest] = bundle.command;
  const child = spawn(program, [...rest, ...globals(roots), ...words], {
    env: { ...process.env, ...bundle.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const [code]: (number | null)[] = await once(child, 'close');
  return { code: code ?? null, stdout, stderr };
}

/** One command at a time, each a process of its own. */
export function commandLane(bundle: TestBundle, roots: Roots): Lane {
  let child: ChildProcess | undefined;
  return {
    get pid() {
      return child?.pid;
    },
    async carryOut(operation) {
      const ended = await command(bundle, roots, wordsOf(operation), (started) => {
        child = started;
      });
      child = undefined;
      return endingOf(operation, ended);
    },
    kill: () => void child?.kill('SIGKILL'),
    close: async () => {},
  };
}

function endingOf(operation: Operation, { code, stdout, stderr }: CommandEnd): Ending {
  if (code === null) return { how: 'killed' };
  // A warning is a fault as well: somebody saw what they should not have.
  const isFine = code === 0 && stderr === '';
  // Another process may have killed the container.
  const hasRun =
    operation.kind === 'run' && operation.how !== 'detach' && (code === SCRIPT_CODE || code === 137);
  if ((isFine && (operation.kind !== 'run' || operation.how === 'detach')) || (hasRun && stderr === ''))
    return { how: 'done', said: saidBy(operation, stdout) };
  return { how: 'failed', message: stderr === '' ? `exit code ${code}` : stderr.trim() };
}

const ENGINE = fileURLToPath(new URL('./engine-process.ts', import.meta.url));

/** A process that keeps the engine open. One that was killed is started again for the next operation. */
export function engineLane(roots: Roots): Lane {
  const { driver: storageDriver, ...rest } = roots;
  let child: ChildProcess | undefined;
  const start = (): ChildProcess =>
    fork(ENGINE, [JSON.stringify({ ...rest, storageDriver })], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  return {
    get pid() {
      return child?.pid;
    },
    async carryOut(operation) {
      const own = child ?? start();
      child = own;
      const answer = new Promise<Ending>((resolve) => {
        const died = (code: number | null): void =>
          resolve(
            code === null ? { how: 'killed' } : { how: 'failed', message: `the process ended with ${code}` },
          );
        own.once('exit', died);
        own.once('message', (ending: Ending) => {
          own.off('exit', died);
          resolve(ending);
        });
      });
      own.send(operation);
      const ending = await answer;
      if (!own.connected && child === own) child = undefined;
      return ending;
    },
    kill() {
      child?.kill('SIGKILL');
      child = undefined;
    },
    async close() {
      if (child === undefined || !child.connected) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
