/** The storage options of aufs. Docker's has none at all. */
import { existsSync, statSync } from 'node:fs';
import { TsengineError } from '../../errors.ts';
import { findCommand, isExecutable, shellWord } from '../../linux/command.ts';
import type { CreateOptions, DriverContext } from '../driver.ts';
import { badOption, unknownOption } from '../storage-options.ts';

/** What mounts unions where the kernel has no AUFS. */
const DEFAULT_PROGRAM = 'fuse-overlayfs';

/** The engine's options. */
export interface AufsOptions {
  /** `aufs.mount_program`: a path or a name; with it the program is taken even where the kernel has AUFS. */
  readonly program: string | undefined;
}

const MOUNT_PROGRAM = 'aufs.mount_program';

/** Reads the engine's `--storage-opt` values. */
export function readEngineOptions({ options }: Pick<DriverContext, 'options'>): AufsOptions {
  let program: string | undefined;
  for (const [key, value] of options) {
    if (key.toLowerCase() !== MOUNT_PROGRAM) throw unknownOption('aufs', key, [MOUNT_PROGRAM]);
    if (value === '') throw badOption(`${key}: name a program like ${DEFAULT_PROGRAM}`);
    program = value;
  }
  return { program };
}

/** A layer takes no options: words as Docker's, with the option's name. */
export function refuseLayerOptions(options: CreateOptions | undefined): void {
  const [key] = Object.keys(options?.storageOptions ?? {});
  if (key === undefined) return;
  throw new TsengineError('InvalidParameter', `--storage-opt is not supported for aufs: ${key}`);
}

/** A folder can be executed, too, as far as its mode goes. */
function isProgram(path: string): boolean {
  return isExecutable(path) && statSync(path).isFile();
}

/** Why a program that was named is none that can be run. */
function notRun(program: string): string {
  if (program.includes('/') && !program.startsWith('/'))
    return 'a path must begin with /: give the whole path, or a name alone to look for';
  if (!program.startsWith('/') || !existsSync(program))
    return 'there is no such program: install it, or name its path';
  return statSync(program).isFile()
    ? `it is not executable: chmod +x ${shellWord(program)}, or name another`
    : 'it is no file: name a program';
}

/** Where the program that mounts is; `undefined` when it is nowhere. */
export function findProgram({ program = DEFAULT_PROGRAM }: AufsOptions): string | undefined {
  if (program.startsWith('/')) return isProgram(program) ? program : undefined;
  if (program.includes('/')) return undefined;
  return findCommand(program);
}

/** Why no union can be mounted; a line with the way out. */
export function noProgram({ program }: AufsOptions): string {
  if (program !== undefined) return `${MOUNT_PROGRAM} ${program}: ${notRun(program)}`;
  return `this kernel has no AUFS, and ${DEFAULT_PROGRAM} is not installed: install the package ${DEFAULT_PROGRAM}, or name another with --storage-opt aufs.mount_program=PATH`;
}
