/** Programs that the lab lets work: apt, mmdebstrap, mksquashfs. They end when we do, and what they say of a failure becomes one line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { hasErrno, TsengineError } from '../errors.ts';
import { searchPath } from '../linux/command.ts';
import { OWN_NAMESPACES } from '../linux/unshare.ts';

/** The Debian package that a program comes in, where its name does not say it. */
const PACKAGES: Readonly<Record<string, string>> = {
  'apt-get': 'apt',
  'apt-cache': 'apt',
  'apt-config': 'apt',
  'dpkg-deb': 'dpkg',
  depmod: 'kmod',
  mksquashfs: 'squashfs-tools',
  mke2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  debugfs: 'e2fsprogs',
  xz: 'xz-utils',
  cp: 'coreutils',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  'qemu-system-x86_64': 'qemu-system-x86',
};

/** How a program is run. */
export interface ProgramOptions {
  /** What it is run for, in the error: `cannot make the root image`. */
  readonly purpose: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Exit codes that are no failure; only 0 when not given. */
  readonly accepted?: readonly number[];
  /** All its processes live in a process and a mount namespace of their own, and end and unmount with it. Needs root. */
  readonly contained?: boolean;
  /** A descriptor that is its standard input; it has none when not given. */
  readonly input?: number;
  /** The number of a user, and group, whose rights it has, and no others. Needs root. */
  readonly user?: number;
}

/** What a program wrote. */
export interface ProgramOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** How much of a program's output is kept: its end. */
const KEPT = 4 * 1024 * 1024;

/** What is said of a program that is not installed, with the Debian package that has it. */
export function notInstalled(program: string, debianPackage: string): string {
  return `${program} is not installed: apt-get install ${debianPackage}`;
}

/** The error for a program that is not installed. */
export function missingProgram(program: string, purpose: string): TsengineError {
  const name = program.slice(program.lastIndexOf('/') + 1);
  return new TsengineError('Unavailable', `${purpose}: ${notInstalled(name, PACKAGES[name] ?? name)}`);
}

/** The environment of the programs that the lab and the matrix start: ours, with the folders of root's programs, messages in English, and no questions. */
export function programEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath(), LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...extra };
}

/** The words that make the kernel end a program when its parent, this process, ends in whatever way. */
export function dyingWithUs(contained = false, user?: number): readonly string[] {
  const rights =
    user === undefined
      ? []
      : [
          '--reuid',
          `${user}`,
          '--regid',
          `${user}`,
          '--clear-groups',
          '--no-new-privs',
          '--bounding-set',
          '-all',
        ];
  const bound = ['setpriv', ...rights, '--pdeathsig', 'KILL', '--'];
  if (!contained) return bound;
  return [...bound, 'unshare', ...OWN_NAMESPACES, '--'];
}

/** Runs a program to its end. Fails with a `TsengineError` that has the best line of what it said. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ProgramOutput> {
  options.signal?.throwIfAborted();
  const [first = '', ...words] = [...dyingWithUs(options.contained, options.user), program, ...args];
  const child = spawn(first, words, {
    cwd: options.cwd,
    env: programEnv(options.env),
    stdio: [options.input ?? 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const abort = (): void => killGroup(child);
  options.signal?.addEventListener('abort', abort, { once: true });
  const kept = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    kept.stdout = (kept.stdout + text).slice(-KEPT);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    kept.stderr = (kept.stderr + text).slice(-KEPT);
  });
  try {
    const code = await endOf(child, first, options.purpose);
    options.signal?.throwIfAborted();
    if (code === 127 && kept.stderr.includes(`execute ${program}`))
      throw missingProgram(program, options.purpose);
    if (!(options.accepted ?? [0]).includes(code)) {
      const why = reasonOf(`${kept.stdout}\n${kept.stderr}`) ?? `${program} ended with ${code}`;
      throw new TsengineError('System', `${options.purpose}: ${why}`);
    }
    return kept;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Ends a program that was started `detached`, and all that it started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

function endOf(child: ChildProcess, program: string, purpose: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(hasErrno(error, 'ENOENT') ? missingProgram(program, purpose) : error),
    );
    child.on('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
}

/** What programs say when a disk is full; apt looks before it downloads. */
export const DISK_FULL = /no space left on device|enough free space|write error|disk full/i;

/** What in a program's output says best why it failed: first what is known to be a cause, then the last line marked as an error. */
const CAUSES = [
  DISK_FULL,
  /could not (connect|resolve)|temporary failure|failed to fetch|unable to (connect|locate)|no longer has a release file|does not have a release file/i,
  /^E: (?!.*(failed to execute|setup failed|.*failed: [A-Z][a-z]+ error|mmdebstrap failed to run|--error-on=any))/,
  /^(E|error|fatal|fail\w*)\b|error:/i,
];

/** The line of a program's output that says best why it failed, `undefined` when it said nothing. */
export function reasonOf(output: string): string | undefined {
  const lines = output
    .split(/[\n\r]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const found = CAUSES.map((cause) => lines.findLast((line) => cause.test(line))).find(
    (line) => line !== undefined,
  );
  return (found ?? lines.at(-1))?.replace(/^[EW]: */, '').slice(0, 300);
}
