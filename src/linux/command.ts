/** Running a program to its end, for what it prints. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { basename } from 'node:path';
import { errorMessage, TsengineError } from '../errors.ts';
import { enter } from './fault.ts';

export { shellWord } from './shell-word.ts';

/** How it ended. */
export interface CommandResult {
  /** Its exit status; `undefined` when a signal ended it. */
  readonly code: number | undefined;
  /** Bytes: names of files are none too. */
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Where administrators' programs are, which a user's search path may leave out. */
const SYSTEM_FOLDERS = '/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin';

/** The search path of programs that we start: the user's, then the system's. */
export function searchPath(): string {
  const { PATH } = process.env;
  return PATH === undefined || PATH === '' ? SYSTEM_FOLDERS : `${PATH}:${SYSTEM_FOLDERS}`;
}

/** Runs a program with messages in English. Fails with `ENOENT` when there is none of this name. */
export async function runCommand(program: string, args: readonly string[]): Promise<CommandResult> {
  enter(program, { path: args.join(' ') });
  const env = { ...process.env, LC_ALL: 'C', PATH: searchPath() };
  return await new Promise((resolve, reject) => {
    const options = { env, encoding: 'buffer', maxBuffer: 1 << 30 } as const;
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code === 'string') reject(error);
      else resolve({ code: exitCode(error), stdout, stderr: stderr.toString() });
    });
  });
}

function exitCode(error: { code?: number | string | null | undefined } | null): number | undefined {
  if (error === null) return 0;
  return typeof error.code === 'number' ? error.code : undefined;
}

/** Runs a program that must succeed and gives its standard output. Fails with what it said, in one line that `purpose` begins. */
export async function runOrFail(program: string, args: readonly string[], purpose: string): Promise<string> {
  const failed = (why: string, cause?: unknown) =>
    new TsengineError('System', `${purpose}: ${basename(program)} failed: ${why}`, { cause });
  let result: CommandResult;
  try {
    result = await runCommand(program, args);
  } catch (error) {
    throw failed(errorMessage(error), error);
  }
  const { code, stdout, stderr } = result;
  if (code === 0) return stdout.toString();
  const said = stderr.trim().replaceAll(/\s*\n\s*/g, ' ');
  throw failed(said !== '' ? said : code === undefined ? 'it was killed' : `it ended with ${code}`);
}

/** The path of a program that `runCommand` would run; `undefined` when there is none. */
export function findCommand(program: string): string | undefined {
  return searchPath()
    .split(':')
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => `${folder}/${program}`)
    .find(isExecutable);
}

/** Whether a path is a program's. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
