/** Stores that `driver setup` made, in tests of the command line. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { findMountAt } from '../../src/linux/mountinfo.ts';
import { type Cli, openCli } from './cli.ts';

/** Where the stores of a test's data root are. */
export const stores = (cli: Cli) => `${cli.dataRoot}/tsengine/stores`;
/** Where its store of btrfs is mounted. */
export const home = (cli: Cli) => `${cli.dataRoot}/btrfs`;

/** The command line on a data root with a store of btrfs. */
export async function withStore(parent?: string): Promise<Cli> {
  const cli = openCli('btrfs', parent);
  cli.ok(['driver', 'setup', '--size', '1g', 'btrfs']);
  return cli;
}

/** A command that ends with 1 and one line that matches. */
export function fails(cli: Cli, args: readonly string[], words: RegExp): void {
  const { status, stderr } = cli.run(args);
  assert.equal(status, 1, stderr);
  assert.match(stderr, words);
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
}

/** The flags that name the data root of a test and its exec root. */
export const rootsOf = (cli: Cli) => ['--data-root', cli.dataRoot, '--exec-root', cli.execRoot];

/** A pattern in which PROGRAM stands for how tsengine is called on the data root. */
export function hints(cli: Cli, words: RegExp): RegExp {
  return new RegExp(words.source.replaceAll('PROGRAM', `tsengine ${rootsOf(cli).join(' ')}`), words.flags);
}

/** What `driver ls` says. */
export const listed = (cli: Cli) => cli.ok(['driver', 'ls']);

/** A command as a shell takes it apart. */
export function wordsOf(command: string): string[] {
  return execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');
}

/** Neither the store of btrfs nor anything of it is there any more. */
export function nothingLeft(cli: Cli): void {
  assert.equal(findMountAt(home(cli)), undefined);
  assert.equal(existsSync(home(cli)), false);
  assert.equal(existsSync(`${cli.dataRoot}/image/btrfs`), false);
  assert.deepEqual(existsSync(stores(cli)) ? readdirSync(stores(cli)) : [], []);
}
