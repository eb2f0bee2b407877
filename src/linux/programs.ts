/** Programs that we let work for us, such as those that make filesystems: where they are, and what they say when they fail. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage, TsengineError } from '../errors.ts';

/** Where programs of root's are, which a user's PATH often lacks. */
const FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** The path of a program; `undefined` where it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':').filter((folder) => folder !== ''), ...FOLDERS];
  return folders
    .map((folder) => `${folder}/${name}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Runs a program to its end and gives its standard output. Fails with what it said, in one line that `purpose` begins. */
export async function runProgram(program: string, args: readonly string[], purpose: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, [...args], {
      env: { ...process.env, LC_ALL: 'C' },
    });
    return stdout;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    const why = said === '' ? errorMessage(error) : said.replaceAll(/\s*\n\s*/g, ' ');
    throw new TsengineError('System', `${purpose}: ${basename(program)} failed: ${why}`, { cause: error });
  }
}
