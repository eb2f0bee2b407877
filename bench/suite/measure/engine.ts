/** An engine under measurement: its command line, on a data root of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { TsengineError } from '../../../src/errors.ts';

/** How a command of it is started. */
export interface EngineCommand {
  /** The words before those of the command. */
  readonly words: readonly [program: string, ...words: string[]];
  readonly env: NodeJS.ProcessEnv;
}

/** An engine, ready. Disposing of it stops what of it runs; its store is not its own. */
export interface Engine extends AsyncDisposable {
  readonly name: 'tsengine' | 'docker' | 'podman';
  readonly command: EngineCommand;
  readonly version: string;
  /** Waits until nothing of it works any more after a command has ended. */
  quiet(): Promise<void>;
}

/** Starts a command of the engine. */
export function startCommand(engine: Engine, words: readonly string[], hasInput: boolean): ChildProcess {
  const [program, ...before] = engine.command.words;
  return spawn(program, [...before, ...words], {
    env: engine.command.env,
    stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
}

/** Runs a command that must succeed, and gives its standard output. */
export async function runEngine(engine: Engine, ...words: readonly string[]): Promise<string> {
  const child = startCommand(engine, words, false);
  let [output, errors] = ['', ''];
  child.stdout?.on('data', (data: Buffer) => {
    output += data.toString();
  });
  child.stderr?.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  const code = await endOf(child);
  if (code === 0) return output.trim();
  throw commandFailed(engine.name, words, code, errors);
}

/** Resolves with the exit code, or the signal's name, once a process has ended and its output is closed. */
export function endOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

/** The error for a command that did not succeed. */
export function commandFailed(
  name: string,
  words: readonly string[],
  code: number | string,
  errors: string,
): TsengineError {
  const said = errors
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line !== '' && !line.startsWith("See '"));
  const what = words.find((word) => !word.startsWith('-')) ?? '';
  return new TsengineError(
    'System',
    `${name} ${what} ended with ${code}: ${(said ?? 'it said nothing').slice(0, 400)}`,
  );
}
