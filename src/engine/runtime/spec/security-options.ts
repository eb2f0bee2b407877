/** `--security-opt`: what is stored, and what it means for the spec. The client's half is in `src/cli/flags/`. */
import { TsengineError } from '../../../errors.ts';

/** The security settings of a container: fields of `config.v2.json` as well. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** Empty where none was named. */
  readonly apparmor: string;
  /** Empty for the default, `unconfined`, or the text of a profile. */
  readonly seccomp: string;
  /** SELinux label parts such as `disable` or `type:foo`; accepted, and without effect where SELinux is off. */
  readonly labels: readonly string[];
}

/** Go's strconv.ParseBool. */
function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? false : undefined;
}

/** `NAME=VALUE`, or the older `NAME:VALUE`; `undefined` for neither. */
function split(option: string): [name: string, value: string] | undefined {
  const at = option.includes('=') ? option.indexOf('=') : option.indexOf(':');
  return at < 0 ? undefined : [option.slice(0, at), option.slice(at + 1)];
}

/**
 * Reads `HostConfig.SecurityOpt`. A later option replaces an earlier one of its name. Throws `InvalidParameter` with
 * Docker's `invalid --security-opt 2: "foo=bar"`.
 */
export function parseSecurityOptions(
  options: readonly string[] | null,
  noNewPrivileges = false,
): SecurityOptions {
  const bad = (stage: 1 | 2, option: string) =>
    new TsengineError('InvalidParameter', `invalid --security-opt ${stage}: ${JSON.stringify(option)}`);
  const result = { noNewPrivileges, apparmor: '', seccomp: '', labels: [] as string[] };
  for (const option of options ?? []) {
    if (option === 'no-new-privileges') result.noNewPrivileges = true;
    else if (option === 'disable') result.labels.push('disable');
    else {
      const [name, value] = split(option) ?? [];
      if (name === undefined || value === undefined) throw bad(1, option);
      if (name === 'label') result.labels.push(value);
      else if (name === 'apparmor') result.apparmor = value;
      else if (name === 'seccomp') result.seccomp = value;
      else if (name === 'no-new-privileges') {
        const flag = parseBool(value);
        if (flag === undefined) throw bad(2, option);
        result.noNewPrivileges = flag;
      } else throw bad(2, option);
    }
  }
  return result;
}
