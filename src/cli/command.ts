import type { Command } from 'commander';

/**
 * How the command line is put together.
 *
 * `commands/index.ts` holds a table of all commands: a line of summary each, and a function that imports the module. A
 * run loads the module of the one command it was called with. A module describes its flags
 * and arguments to commander in `register` and does its work in the action. See `parse.ts` for what of Docker's flag
 * syntax is settled before commander sees it, and `report.ts` for what happens to errors.
 */
export type CommandTable = Readonly<Record<string, CommandEntry | CommandGroup>>;

/** One command. */
export interface CommandEntry {
  /** The line in the list of commands and under the usage line; Docker's words, without a full stop. */
  readonly summary: string;
  /** Imports the module, and nothing before it is called; in the bundle maybe the program that has it (`commands/rare.ts`). */
  readonly load: () => Promise<CommandModule | Program>;
  /** The exit code when the action throws an error that carries none; 1 unless given. Docker: 125 for `run`. */
  readonly failureExitCode?: number;
  /** The exit code 1 is what the command found out: whatever goes wrong ends with `failureExitCode`, wrong arguments and a full standard output too. */
  readonly oneIsAnswer?: boolean;
  /** Flags end at the first argument, because what follows is another program's command line (`run`, `create`, `exec`). */
  readonly flagsFirst?: boolean;
  /** The command changes nothing in the data root, so that it may be run with `--read-only-root`. */
  readonly onlyReads?: boolean;
  /** The command makes the data root where there is none: it brings images, or tells about the machine. */
  readonly makesRoot?: boolean;
  /** Left out of the list: for what conmon and others call, not people. */
  readonly hidden?: boolean;
}

/** Commands under a noun, like `container` and `image`. */
export interface CommandGroup {
  readonly summary: string;
  /** What the noun does alone, with flags or nothing behind it; it shows its help when not given. */
  readonly itself?: CommandEntry;
  readonly commands: CommandTable;
}

/** What a file in `commands/` exports. */
export interface CommandModule {
  /**
   * Adds options, arguments and the action to a fresh `command`, which has its name and summary already:
   *
   *     command
   *       .usage('[OPTIONS] IMAGE [COMMAND] [ARG...]')
   *       .argument('<image>')
   *       .argument('[command...]')
   *       .addOption(listOption('-e, --env <list>', 'Set environment variables'))
   *       .option('--rm', 'Automatically remove the container when it exits')
   *       .action(async (image: string, words: string[], options: RunOptions) => { … });
   *
   * The number of arguments that Docker's messages speak of comes from the arguments declared. Every option has a long
   * name; options that take a value take it always (`<value>`, never `[value]`). `-h` is help unless declared.
   *
   * The action throws a `TsengineError` to fail; it sets `process.exitCode` itself where the code is a container's.
   */
  register(command: Command, context: CommandContext): void;
}

/** The whole of the command line in another file. */
export interface Program {
  /** Does what `main` of `program.ts` does. */
  main(args: readonly string[]): Promise<void>;
  /** Does what `endProcess` of `program.ts` does. */
  endProcess(): void;
}

/** What every command gets to know. */
export interface CommandContext {
  readonly globals: GlobalOptions;
  /** As the user typed it, for messages: `tsengine run`. */
  readonly commandPath: string;
  /** Whether a data root is made where there is none. */
  readonly makesRoot: boolean;
  /** Whether the command changes nothing in the data root. */
  readonly onlyReads: boolean;
}

/** Log levels, Docker's. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;

/** One of Docker's log levels. */
export type LogLevel = (typeof logLevels)[number];

/** The flags before the command. What is undefined was not given: configuration file and defaults decide. */
export interface GlobalOptions {
  readonly storageDriver: string | undefined;
  readonly storageOpts: readonly string[];
  readonly dataRoot: string | undefined;
  readonly execRoot: string | undefined;
  readonly readOnlyRoot: boolean;
  readonly configFile: string | undefined;
  readonly runtime: string | undefined;
  readonly logLevel: LogLevel | undefined;
  readonly debug: boolean;
}
