import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errorMessage, TsengineError } from '../../errors.ts';
import { readTextIfAny, removeFile, writeFileAtomic } from '../../linux/files.ts';

/** The profile that containers get unless they ask for another; the name is Docker's, so that both engines share it. */
export const DEFAULT_PROFILE = 'docker-default';

/** The profiles that the kernel has loaded, a line each: `NAME (enforce)`. Absent where the kernel has no AppArmor. */
const LOADED = '/sys/kernel/security/apparmor/profiles';

/** Whether the kernel has loaded a profile of that name, as the text of `LOADED` says. */
export function hasProfile(loaded: string, name: string): boolean {
  return loaded.split('\n').some((line) => line.startsWith(`${name} (`));
}

/**
 * The default profile in AppArmor's language (apparmor.d(5)): equal in effect to Docker 20.10's. A container may use
 * files, networks and capabilities as its other confinement lets it; it may not mount, not write where the kernel is
 * steered or shown, and neither signal nor trace what is not its own.
 */
export function defaultProfile(name = DEFAULT_PROFILE): string {
  const denied = [
    // /proc: everything but the process's own folders, and what of sys is the container's.
    '@{PROC}/* w',
    '@{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w',
    '@{PROC}/sys/[^k]** w',
    '@{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w',
    '@{PROC}/{sysrq-trigger,kcore} rwklx',
    'mount',
    // /sys: everything but /sys/fs/cgroup, letter by letter, because a deny has no exceptions.
    '/sys/[^f]*/** wklx',
    '/sys/f[^s]*/** wklx',
    '/sys/fs/[^c]*/** wklx',
    '/sys/fs/c[^g]*/** wklx',
    '/sys/fs/cg[^r]*/** wklx',
    '/sys/firmware/** rwklx',
    '/sys/kernel/security/** rwklx',
  ];
  const allowed = [
    'network',
    'capability',
    'file',
    'umount',
    // The engine and the runtime, which are not confined, and the container's own processes.
    'signal (receive) peer=unconfined',
    `signal (send,receive) peer=${name}`,
    `ptrace (trace,read,tracedby,readby) peer=${name}`,
  ];
  return [
    '#include <tunables/global>',
    `profile ${name} flags=(attach_disconnected,mediate_deleted) {`,
    '  #include <abstractions/base>',
    ...allowed.map((rule) => `  ${rule},`),
    ...denied.map((rule) => `  deny ${rule},`),
    '}',
    '',
  ].join('\n');
}

/**
 * Loads the default profile into the kernel unless it is there. Call it only where the kernel has AppArmor. Fails with
 * `Unavailable` where the tool for it is missing. `folder` takes the profile's text while it is loaded.
 */
export async function loadDefaultProfile(folder: string): Promise<void> {
  if (hasProfile(readTextIfAny(LOADED) ?? '', DEFAULT_PROFILE)) return;
  const file = `${folder}/apparmor-${process.pid}`;
  writeFileAtomic(file, defaultProfile(), { durable: false });
  try {
    await promisify(execFile)('apparmor_parser', ['--skip-cache', '--replace', file]);
  } catch (cause) {
    const advice = 'install the package apparmor, or run with --security-opt apparmor=unconfined';
    const why = errorMessage(cause);
    throw new TsengineError(
      'Unavailable',
      `cannot load the AppArmor profile ${DEFAULT_PROFILE}: ${why}; ${advice}`,
      {
        cause,
      },
    );
  } finally {
    removeFile(file);
  }
}
