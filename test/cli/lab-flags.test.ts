import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { register as registerRemove } from '../../src/cli/commands/lab-rm.ts';
import { register as registerRun } from '../../src/cli/commands/lab-run.ts';
import { commandHelp } from '../../src/cli/help.ts';
import { kernelChoice, machineOf } from '../../src/cli/lab-flags.ts';

describe('empty values of flags', () => {
  const flags = {
    ...{ kernel: 'debian:6.1', with: [], memory: '2G', disk: [], env: [], withhold: [] },
    bootTimeout: '300',
  };
  for (const [flag, given, words] of [
    ['-k, --kernel', { kernel: '' }, 'it must name a kernel: see tsengine lab kernels'],
    ['--modules', { kernel: './bzImage', modules: '' }, 'it must name a folder'],
    ['--initrd', { kernel: './bzImage', initrd: '' }, 'it must name a file'],
    ['--results', { results: '' }, 'it must name a folder'],
  ] as const)
    test(`${flag} says what it takes`, () => {
      assert.throws(() => machineOf({ ...flags, ...given }), {
        message: `invalid argument "" for "${flag}" flag: ${words}`,
      });
    });

  test('others are taken as they are', () => {
    assert.deepEqual(kernelChoice({ kernel: './k', modules: 'm', with: [] }), { path: './k', modules: 'm' });
    assert.equal(machineOf({ ...flags, results: 'out' }).results, 'out');
  });
});

describe('help', () => {
  const helpOf = (register: typeof registerRun): string => {
    const command = new Command('tsengine lab').summary('…');
    register(command);
    return commandHelp(command, 'tsengine lab');
  };

  test('of lab run says where results and the cache are, with examples', () => {
    const help = helpOf(registerRun);
    for (const word of ['/results', '.cache/lab', 'TSENGINE_LAB_CACHE', 'Examples:', '--results out'])
      assert.ok(help.includes(word), word);
    for (const line of help.split('\n')) assert.ok(line.length <= 80, line);
  });

  test('of lab rm says where names come from', () => {
    assert.match(helpOf(registerRemove), /Names are those of 'tsengine lab ls'/);
  });
});
