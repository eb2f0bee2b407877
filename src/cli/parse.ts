import type { Command, Option } from 'commander';
import { flagYet } from './docker-only.ts';
import { UsageError } from './usage-error.ts';

/** A command line split the way Docker's flag library (pflag) splits it. */
export interface Split {
  /** Flags in one form only, `--long` or `--long=value`, as commander reads them without doubt. */
  readonly flags: readonly string[];
  /** Arguments, in order. */
  readonly operands: readonly string[];
  /** `--help` was given, or `-h` where the command has no flag of that name. */
  readonly help: boolean;
}

/** What Go's strconv.ParseBool takes. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false] as const),
]);

/**
 * Splits `args` into the flags of `command` and arguments, as pflag does and commander does not: `--rm=false`, `-e=A`,
 * `-ite A=B`, a boolean given twice counting the last time, and errors in Docker's words. `flagsFirst` ends the flags
 * at the first argument; `--` always ends them.
 *
 * @throws UsageError with exit code 125 for an unknown flag, a missing value or a boolean that is none.
 */
export function splitArguments(
  command: Command,
  commandPath: string,
  args: readonly string[],
  flagsFirst: boolean,
): Split {
  const splitter = new Splitter(command, commandPath, args);
  const operands: string[] = [];
  for (let word = splitter.next(); word !== undefined; word = splitter.next()) {
    if (word === '--') operands.push(...splitter.remainder());
    else if (word.startsWith('--')) splitter.long(word);
    else if (word.startsWith('-') && word !== '-') splitter.cluster(word);
    else if (flagsFirst) operands.push(word, ...splitter.remainder());
    else operands.push(word);
  }
  return { flags: [...splitter.given.values()].flat(), operands, help: splitter.help };
}

/** The words that are left, and the flags found so far under their long names. */
class Splitter {
  readonly given = new Map<string, readonly string[]>();
  help = false;
  readonly #command: Command;
  readonly #commandPath: string;
  readonly #words: string[];

  constructor(command: Command, commandPath: string, args: readonly string[]) {
    this.#command = command;
    this.#commandPath = commandPath;
    this.#words = [...args];
  }

  next(): string | undefined {
    return this.#words.shift();
  }

  remainder(): string[] {
    return this.#words.splice(0);
  }

  /** `--name`, `--name=value` or `--name value`. */
  long(word: string): void {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const inline = equals < 0 ? undefined : word.slice(equals + 1);
    const option = this.#command.options.find((candidate) => candidate.long === name);
    if (option === undefined && name === '--help') this.help = true;
    else if (option === undefined) throw this.#fail(`unknown flag: ${name}${this.#yet(name.slice(2))}`);
    else if (takesValue(option)) this.#setValue(option, inline ?? this.next(), name);
    else this.#setBoolean(option, inline ?? 'true');
  }

  /** `-abc`: booleans, until one that takes a value takes what follows, after an optional `=`, or the next word. */
  cluster(word: string): void {
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      const tail = word.slice(at + 1);
      const option = this.#command.options.find((candidate) => candidate.short === `-${letter}`);
      if (option === undefined && letter === 'h') {
        this.help = true;
      } else if (option === undefined) {
        throw this.#fail(`unknown shorthand flag: '${letter}' in -${letter}${tail}${this.#yet(letter)}`);
      } else if (takesValue(option)) {
        this.#setValue(
          option,
          tail === '' ? this.next() : tail.replace(/^=/, ''),
          `'${letter}' in -${letter}${tail}`,
        );
        return;
      } else if (tail.startsWith('=')) {
        this.#setBoolean(option, tail.slice(1));
        return;
      } else {
        this.#setBoolean(option, 'true');
      }
    }
  }

  #setBoolean(option: Option, text: string): void {
    const value = booleans.get(text);
    const long = longName(option);
    if (value === undefined) {
      const shown = option.short ? `${option.short}, ${long}` : long;
      throw this.#fail(
        `invalid argument "${text}" for "${shown}" flag: strconv.ParseBool: parsing "${text}": invalid syntax`,
      );
    }
    const negation = this.#command.options.find((candidate) => candidate.long === `--no-${long.slice(2)}`);
    if (value) this.given.set(long, [long]);
    else if (negation !== undefined) this.given.set(long, [longName(negation)]);
    else this.given.delete(long);
  }

  #setValue(option: Option, value: string | undefined, shown: string): void {
    if (value === undefined) throw this.#fail(`flag needs an argument: ${shown}`);
    const long = longName(option);
    this.given.set(long, [...(this.given.get(long) ?? []), `${long}=${value}`]);
  }

  #yet(flag: string): string {
    return flagYet(this.#commandPath, flag);
  }

  #fail(message: string): UsageError {
    return new UsageError(`${message}\nSee '${this.#commandPath} --help'.`, 125);
  }
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** Every option has one: `CommandModule.register` asks for it, and the map of what was given is keyed by it. */
function longName(option: Option): string {
  return option.long ?? option.flags;
}

/**
 * Checks how many arguments `command` was given against those that it declares.
 *
 * @throws UsageError with exit code 1, in Docker's words.
 */
export function checkArity(command: Command, commandPath: string, count: number): void {
  const declared = command.registeredArguments;
  const min = declared.filter((argument) => argument.required).length;
  const max = declared.some((argument) => argument.variadic) ? Number.POSITIVE_INFINITY : declared.length;
  if (count >= min && count <= max) return;
  const plural = (n: number) => `${n} argument${n === 1 ? '' : 's'}`;
  let rule: string;
  if (max === 0) rule = 'accepts no arguments';
  else if (min === max) rule = `requires exactly ${plural(min)}`;
  else if (max === Number.POSITIVE_INFINITY) rule = `requires at least ${plural(min)}`;
  else if (min === 0) rule = `requires at most ${plural(max)}`;
  else rule = `requires at least ${min} and at most ${plural(max)}`;
  const usage = `Usage:  ${commandPath} ${command.usage()}\n\n${command.summary()}`;
  throw new UsageError(`"${commandPath}" ${rule}.\nSee '${commandPath} --help'.\n\n${usage}`, 1);
}
