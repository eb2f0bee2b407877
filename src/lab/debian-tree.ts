/** A folder with Debian packages installed in it, by mmdebstrap. */
import { dirname, join } from 'node:path';
import { TsengineError } from '../errors.ts';
import { shellWord } from '../linux/command.ts';
import { makeDirectory, writeNewFile } from '../linux/files.ts';
import type { LabContext } from './context.ts';
import { type DebianMirror, sourceLine } from './debian-sources.ts';
import { runProgram } from './run-program.ts';

/**
 * Run in the new root before its packages are unpacked. Bookworm can be merged-/usr from the start or by installing
 * usrmerge, which brings all of Perl. Services do not start while it is made.
 */
export const SETUP_HOOK = `set -eu
for folder in bin sbin lib lib64; do mkdir -p "$1/usr/$folder" && ln -s "usr/$folder" "$1/$folder"; done
mkdir -p "$1/etc/apt/preferences.d" "$1/usr/sbin"
printf 'Package: usrmerge\\nPin: release *\\nPin-Priority: -1\\n' >"$1/etc/apt/preferences.d/no-usrmerge"
printf '#!/bin/sh\\nexit 101\\n' >"$1/usr/sbin/policy-rc.d"
chmod 755 "$1/usr/sbin/policy-rc.d"
`;

/** What to install, and where. */
export interface DebianTree {
  readonly suite: string;
  /** The folder to make. What is written on the way (`tmp`, `setup`, `customize`) goes beside it, into a folder of the caller's. */
  readonly tree: string;
  readonly packages: readonly string[];
  /** `main`, or more of Debian's components. */
  readonly components: string;
  readonly mirror: DebianMirror;
  /** A script that runs when all is installed, with the tree as its argument. */
  readonly customize?: string;
  /** `cannot make …`, for the error. */
  readonly purpose: string;
  readonly context: LabContext;
}

/** The shell's command that runs a script with the tree, mmdebstrap's `$1`, whatever is in the script's path. Exported for its test. */
export function hookCommand(script: string): string {
  return `sh ${shellWord(script)} "$1"`;
}

/** Fails where a tree cannot be made, before anything is fetched for it. */
export function mustBeRoot(purpose: string): void {
  if (process.getuid?.() === 0) return;
  throw new TsengineError(
    'Forbidden',
    `${purpose}: installing its packages needs root's rights: run tsengine lab build as root`,
  );
}

/** Makes it. Needs root's rights: packages have files of several owners. */
export async function makeDebianTree(request: DebianTree): Promise<void> {
  const { suite, tree, packages, components, mirror, customize, purpose, context } = request;
  mustBeRoot(purpose);
  const folder = dirname(tree);
  const temporary = join(folder, 'tmp');
  makeDirectory(temporary);
  writeNewFile(join(folder, 'setup'), SETUP_HOOK, { durable: false });
  writeNewFile(join(folder, 'customize'), customize ?? '', { durable: false });
  const args = [
    ...['--variant=minbase', '--mode=root', '--format=directory', '--architectures=amd64'],
    ...['--dpkgopt=force-unsafe-io', '--dpkgopt=path-exclude=/usr/share/man/*'],
    ...['--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "2"'],
    ...((await takesExpiredLists(purpose, context)) ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : []),
    `--include=${packages.join(',')}`,
    `--setup-hook=${hookCommand(join(folder, 'setup'))}`,
    `--customize-hook=${hookCommand(join(folder, 'customize'))}`,
    ...[suite, tree, sourceLine(mirror, suite, components)],
  ];
  await runProgram('mmdebstrap', args, {
    purpose,
    env: { TMPDIR: temporary },
    contained: true,
    signal: context.signal,
  });
}

/**
 * Whether this machine's apt is told to take lists that have expired, as it is where the mirror is a copy that stands still. What
 * it takes, the new root's takes.
 */
async function takesExpiredLists(purpose: string, { signal }: LabContext): Promise<boolean> {
  const words = ['shell', 'CHECK', 'Acquire::Check-Valid-Until/b'];
  const { stdout } = await runProgram('apt-config', words, { purpose, signal });
  return stdout.includes("CHECK='false'");
}
