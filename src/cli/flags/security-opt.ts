/** `--security-opt` of run and create. */
import { errorMessage } from '../../errors.ts';
import { fileErrorText, usageError } from './flag-error.ts';

/** What the `--security-opt` values of a command line come to. */
export interface SecurityFlags {
  /** `HostConfig.SecurityOpt`, with the text of a seccomp profile in place of its file's name. */
  readonly options: string[];
  /** Whether `systempaths=unconfined` takes away the masked and read-only paths (the API wants empty lists then). */
  readonly unmaskedPaths: boolean;
}

/**
 * Reads the values as the docker client does: `no-new-privileges`, or `name=value` (`name:value` in older use).
 * `readFile` reads a seccomp profile, which must be JSON and is written in one line. Throws InvalidParameter in
 * Docker's words; which names there are is the engine's question.
 */
export function parseSecurityFlags(
  values: readonly string[],
  readFile: (path: string) => string,
): SecurityFlags {
  const options: string[] = [];
  let unmaskedPaths = false;
  for (const value of values) {
    const [, name = '', mark = '', setting = ''] = /^([^=:]*)([=:]?)(.*)$/s.exec(value) ?? [];
    if (mark === '' && name !== 'no-new-privileges') throw usageError(`Invalid --security-opt: "${value}"`);
    if (value === 'systempaths=unconfined') unmaskedPaths = true;
    else if (name === 'seccomp' && mark !== '' && setting !== 'unconfined') {
      options.push(`seccomp=${readProfile(setting, readFile)}`);
    } else options.push(value);
  }
  return { options, unmaskedPaths };
}

function readProfile(path: string, readFile: (path: string) => string): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw usageError(`opening seccomp profile (${path}) failed: ${fileErrorText(path, error)}`);
  }
  try {
    JSON.parse(text);
  } catch (error) {
    throw usageError(`compacting json for seccomp profile (${path}) failed: ${errorMessage(error)}`);
  }
  // Only white space goes: its numbers may be 64-bit, which JavaScript would round.
  return text.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
}
