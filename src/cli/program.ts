import { Command, CommanderError, Option } from 'commander';
import { TsengineError } from '../errors.ts';
import {
  type CommandEntry,
  type CommandModule,
  type CommandTable,
  type GlobalOptions,
  logLevels,
  type Program,
} from './command.ts';
import { commands } from './commands/index.ts';
import { commandYet } from './docker-only.ts';
import { endProcess as endThisProcess } from './end-process.ts';
import { commandHelp, tableHelp } from './help.ts';

import { listOption } from './options.ts';
import { outputError, writeOutNow } from './output.ts';
import { checkArity, splitArguments } from './parse.ts';
import { installProcessHandlers, report } from './report.ts';
import { UsageError } from './usage-error.ts';
import { versionLine } from './version-text.ts';

const program = 'tsengine';
const summary = 'A container engine organised around pluggable storage drivers';

/**
 * Runs the command line `args` (without node and script). Sets `process.exitCode` and never rejects. Returns when the
 * command's action has; the process ends when nothing keeps it.
 */
export async function main(args: readonly string[]): Promise<void> {
  let debug = false;
  let failureExitCode = 1;
  let oneIsAnswer = false;
  const failed = (error: unknown): number => {
    const exitCode = report(error, debug, failureExitCode);
    return oneIsAnswer && exitCode === 1 ? failureExitCode : exitCode;
  };
  const handlers = installProcessHandlers(failed);
  try {
    const root = globalOptions();
    const { globals, operands, help, version } = parseGlobals(root, args);
    debug = globals.debug;
    if (version) return print(versionLine());
    const [first, ...rest] = operands[0] === 'help' ? operands.slice(1) : operands;
    if (first === undefined) return print(tableHelp(commands, program, summary, root));
    const wantsHelp = help || operands[0] === 'help';

    const found = resolve(commands, program, [first, ...rest]);
    if ('help' in found) return print(found.help);
    ({ failureExitCode = 1, oneIsAnswer = false } = found.entry);
    const module = await found.entry.load();
    if ('main' in module) {
      handlers[Symbol.dispose]();
      other = module;
      return await module.main(args);
    }
    await runCommand(module, found, globals, wantsHelp);
  } catch (error) {
    process.exitCode = failed(error);
  }
}

/** The program that had the command, where it was another one. */
let other: Program | undefined;

/** Ends the process when `main` has returned: see `end-process.ts`. */
export function endProcess(): void {
  if (other === undefined) endThisProcess();
  else other.endProcess();
}

/** A command found in the table, with what follows its name. */
interface Found {
  readonly entry: CommandEntry;
  readonly commandPath: string;
  readonly args: readonly string[];
}

/** Walks down the table along `words`, to a command or to the help of a group. */
function resolve(
  table: CommandTable,
  path: string,
  words: readonly string[],
): Found | { readonly help: string } {
  const [name = '', ...rest] = words;
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  if (entry === undefined) {
    const yet = commandYet('', name);
    throw new UsageError(`${program}: '${name}' is not a ${program} command${yet}.\nSee '${path} --help'`, 1);
  }
  const commandPath = `${path} ${name}`;
  if ('load' in entry) return { entry, commandPath, args: rest };
  const help = tableHelp(entry.commands, commandPath, entry.summary);
  const [next] = rest;
  if (entry.itself !== undefined && (next === undefined || next.startsWith('-')))
    return { entry: entry.itself, commandPath, args: rest };
  if (next === undefined || next === '--help' || next === '-h') return { help };
  if (!Object.hasOwn(entry.commands, next)) {
    const yet = commandYet(name, next);
    if (yet === '')
      throw new UsageError(
        `${program}: unknown command: ${program} ${name} ${next}\nSee '${commandPath} --help'`,
        1,
      );
    const message = `${program}: '${name} ${next}' is not a ${program} command${yet}.`;
    throw new UsageError(`${message}\nSee '${commandPath} --help'`, 1);
  }
  return resolve(entry.commands, commandPath, rest);
}

/** Parses a command's flags and runs it. */
async function runCommand(
  module: CommandModule,
  found: Found,
  globals: GlobalOptions,
  wantsHelp: boolean,
): Promise<void> {
  const { entry, commandPath, args } = found;
  const command = quiet(new Command(commandPath)).summary(entry.summary);
  module.register(command, {
    globals,
    commandPath,
    makesRoot: entry.makesRoot === true,
    onlyReads: entry.onlyReads === true,
  });
  const split = splitArguments(command, commandPath, args, entry.flagsFirst ?? false);
  if (split.help || wantsHelp) return print(commandHelp(command, commandPath));
  if (globals.readOnlyRoot && entry.onlyReads !== true) {
    throw new TsengineError(
      'Forbidden',
      `'${commandPath}' changes the data root, which --read-only-root forbids`,
    );
  }
  checkArity(command, commandPath, split.operands.length);
  try {
    await command.parseAsync([...split.flags, '--', ...split.operands], { from: 'user' });
  } catch (error) {
    throw usageErrorOf(error, commandPath);
  }
}

/** What is wrong with a flag's value, found by commander (a choice that is none) or by us, in Docker's form; anything else as it is. */
function usageErrorOf(error: unknown, commandPath: string): unknown {
  if (error instanceof TsengineError && /^invalid argument .* flag: /.test(error.message)) {
    return new UsageError(`${error.message}\nSee '${commandPath} --help'.`, error.exitCode ?? 125);
  }
  if (!(error instanceof CommanderError)) return error;
  return new UsageError(`${error.message.replace(/^error: /, '')}\nSee '${commandPath} --help'.`, 125);
}

/** Commander neither prints nor exits: messages and exit codes are ours. */
function quiet(command: Command): Command {
  return command
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
}

/** The flags before the command. */
function globalOptions(): Command {
  return quiet(new Command(program))
    .option(
      '-s, --storage-driver <string>',
      'Storage driver to use: overlay2, btrfs, zfs, vfs, aufs or devicemapper (default what the data root holds)',
    )
    .addOption(listOption('--storage-opt <list>', 'Storage driver options'))
    .option('--data-root <string>', 'Root directory of persistent state (default "/var/lib/tsengine")')
    .option('--exec-root <string>', 'Root directory for execution state files (default "/run/tsengine")')
    .option('--config-file <string>', 'Configuration file (default "/etc/tsengine/daemon.json")')
    .option('--read-only-root', 'Only look at the data root, also while a dockerd works on it')
    .option('--runtime <string>', 'OCI runtime for containers: a name or a path (default "runc")')
    .option('-D, --debug', 'Enable debug mode')
    .addOption(
      new Option(
        '-l, --log-level <string>',
        'Set the logging level ("debug"|"info"|"warn"|"error"|"fatal") (default "info")',
      ).choices(logLevels),
    )
    .option('-v, --version', 'Print version information and quit');
}

/** The global flags as they come out of commander. */
interface RawGlobals extends Partial<Omit<GlobalOptions, 'storageOpts'>> {
  readonly storageOpt?: readonly string[];
  readonly version?: boolean;
}

/** Splits off and reads the flags before the command. */
function parseGlobals(root: Command, args: readonly string[]) {
  try {
    const split = splitArguments(root, program, args, true);
    root.parse(split.flags, { from: 'user' });
    const raw = root.opts<RawGlobals>();
    for (const [flag, value] of [
      ['--data-root', raw.dataRoot],
      ['--exec-root', raw.execRoot],
    ])
      if (value === '')
        throw new UsageError(`${flag} is empty: name a folder.\nSee '${program} --help'.`, 125);
    const globals: GlobalOptions = {
      storageDriver: raw.storageDriver,
      storageOpts: raw.storageOpt ?? [],
      dataRoot: raw.dataRoot,
      execRoot: raw.execRoot,
      readOnlyRoot: raw.readOnlyRoot ?? false,
      configFile: raw.configFile,
      runtime: raw.runtime,
      logLevel: raw.logLevel,
      debug: raw.debug ?? false,
    };
    return { globals, operands: split.operands, help: split.help, version: raw.version ?? false };
  } catch (error) {
    throw usageErrorOf(error, program);
  }
}

/** Help goes to standard output and is no failure. */
function print(text: string): void {
  writeOutNow(1, text);
}

/** What is said of an answer that `main.ts` could not write. Gives the exit code. */
export function reportUnwritten(error: unknown): number {
  return report(outputError(1, error), false, 1);
}
