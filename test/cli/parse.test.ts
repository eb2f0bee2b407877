import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { listOption } from '../../src/cli/options.ts';
import { checkArity, splitArguments } from '../../src/cli/parse.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

/** A command with the kinds of flag that `run` has. */
function command(): Command {
  return new Command('run')
    .exitOverride()
    .summary('Run a command in a new container')
    .usage('[OPTIONS] IMAGE [COMMAND] [ARG...]')
    .option('--rm', 'remove')
    .option('-i, --interactive', 'stdin')
    .option('-t, --tty', 'terminal')
    .option('--no-trunc', 'whole')
    .option('-w, --workdir <string>', 'folder')
    .addOption(listOption('-e, --env <list>', 'environment'));
}

const split = (...args: string[]) => splitArguments(command(), 'tsengine run', args, true);

/** What commander makes of what we hand it. */
function parsed(...args: string[]): Record<string, unknown> {
  const target = command().argument('[words...]');
  const { flags, operands } = split(...args);
  target.parse([...flags, '--', ...operands], { from: 'user' });
  return { ...target.opts(), args: target.args };
}

const refuses = (message: string, exitCode: number) => (error: unknown) => {
  assert.ok(error instanceof UsageError);
  assert.equal(error.message, message);
  assert.equal(error.exitCode, exitCode);
  return true;
};

describe('flags as pflag reads them', () => {
  const defaults = { env: [], trunc: true };

  test('values behind =, behind a space, behind the letter, and such that look like flags', () => {
    assert.deepEqual(parsed('-e', 'A=1', '-eB=2', '-e=C=3', '--env', '-x', '--env=D=4', 'image').env, [
      'A=1',
      'B=2',
      'C=3',
      '-x',
      'D=4',
    ]);
    assert.equal(parsed('--workdir=', 'image').workdir, '');
    assert.equal(parsed('-w', '/a', '-w', '/b', 'image').workdir, '/b');
  });

  test('letters together, the last with a value', () => {
    assert.deepEqual(parsed('-itw/x', 'image'), {
      ...defaults,
      interactive: true,
      tty: true,
      workdir: '/x',
      args: ['image'],
    });
    assert.deepEqual(parsed('-itw', '/x', 'image').workdir, '/x');
    assert.deepEqual(parsed('-it=false', 'image'), { ...defaults, interactive: true, args: ['image'] });
  });

  test('booleans with a value; the last one counts', () => {
    assert.equal(parsed('--rm=true', 'image').rm, true);
    assert.equal(parsed('--rm=0', 'image').rm, undefined);
    assert.equal(parsed('--rm', '--rm=false', 'image').rm, undefined);
    assert.equal(parsed('--no-trunc', 'image').trunc, false);
    assert.equal(parsed('--no-trunc=false', 'image').trunc, true);
  });

  test('what follows the first argument is another program’s', () => {
    assert.deepEqual(parsed('--rm', 'image', 'ls', '--rm', '-e', '--', 'x').args, [
      'image',
      'ls',
      '--rm',
      '-e',
      '--',
      'x',
    ]);
    assert.deepEqual(split('--', '--rm').operands, ['--rm']);
    assert.deepEqual(split('-', '--rm').operands, ['-', '--rm']);
  });

  test('without flagsFirst, flags and arguments mix', () => {
    const { flags, operands } = splitArguments(
      command(),
      'tsengine ps',
      ['a', '--rm', 'b', '--', '-c'],
      false,
    );
    assert.deepEqual({ flags, operands }, { flags: ['--rm'], operands: ['a', 'b', '-c'] });
  });

  test('help', () => {
    assert.equal(split('--help').help, true);
    assert.equal(split('-ih').help, true);
    assert.equal(split('image', '--help').help, false);
  });

  test('errors in Docker’s words', () => {
    const see = "\nSee 'tsengine run --help'.";
    assert.throws(() => split('--foo'), refuses(`unknown flag: --foo${see}`, 125));
    assert.throws(() => split('--foo=x'), refuses(`unknown flag: --foo${see}`, 125));
    assert.throws(() => split('-Qx'), refuses(`unknown shorthand flag: 'Q' in -Qx${see}`, 125));
    assert.throws(() => split('--workdir'), refuses(`flag needs an argument: --workdir${see}`, 125));
    assert.throws(() => split('-iw'), refuses(`flag needs an argument: 'w' in -w${see}`, 125));
    const parse = 'strconv.ParseBool: parsing "zz": invalid syntax';
    assert.throws(
      () => split('--rm=zz'),
      refuses(`invalid argument "zz" for "--rm" flag: ${parse}${see}`, 125),
    );
    assert.throws(
      () => split('-i=zz'),
      refuses(`invalid argument "zz" for "-i, --interactive" flag: ${parse}${see}`, 125),
    );
  });
});

describe('numbers of arguments', () => {
  const arity = (declared: string, count: number) => () =>
    checkArity(new Command().arguments(declared).summary('Do it').usage('USAGE'), 'tsengine x', count);
  const refused = (rule: string) =>
    refuses(`"tsengine x" ${rule}.\nSee 'tsengine x --help'.\n\nUsage:  tsengine x USAGE\n\nDo it`, 1);

  test('are checked in Docker’s words', () => {
    assert.throws(
      () => checkArity(new Command().summary('Do it').usage('USAGE'), 'tsengine x', 1),
      refused('accepts no arguments'),
    );
    assert.throws(arity('<a> <b>', 1), refused('requires exactly 2 arguments'));
    assert.throws(arity('<a>', 2), refused('requires exactly 1 argument'));
    assert.throws(arity('<a> [b...]', 0), refused('requires at least 1 argument'));
    assert.throws(arity('[a]', 2), refused('requires at most 1 argument'));
    assert.throws(arity('<a> [b]', 3), refused('requires at least 1 and at most 2 arguments'));
    arity('<a> [b]', 1)();
    arity('<a> [b...]', 7)();
  });
});
