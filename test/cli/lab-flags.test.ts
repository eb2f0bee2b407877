import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { register as registerKernels } from '../../src/cli/commands/lab-kernels.ts';
import { register as registerList } from '../../src/cli/commands/lab-ls.ts';
import { register as registerRemove } from '../../src/cli/commands/lab-rm.ts';
import { register as registerRun } from '../../src/cli/commands/lab-run.ts';
import { register as registerShell } from '../../src/cli/commands/lab-shell.ts';
import { commandHelp } from '../../src/cli/help.ts';
import { kernelChoice, machineOf } from '../../src/cli/lab-flags.ts';
import { listKernels } from '../../src/lab/listing.ts';

describe('empty values of flags', () => {
  const flags = {
    ...{ kernel: 'debian:6.1', with: [], memory: '2G', disk: [], env: [], withhold: [], append: [] },
    bootTimeout: '300',
  };
  for (const [flag, given, words] of [
    ['-k, --kernel', { kernel: '' }, 'it must name a kernel: see tsengine lab kernels'],
    ['--modules', { kernel: './bzImage', modules: '' }, 'it must name a folder'],
    ['--initrd', { kernel: './bzImage', initrd: '' }, 'it must name a file'],
    ['--results', { results: '' }, 'it must name a folder'],
    ['-w, --with', { with: [''] }, 'a name is empty'],
    ['--withhold', { withhold: [''] }, 'a name is empty'],
  ] as const)
    test(`${flag} says what it takes`, () => {
      assert.throws(() => machineOf({ ...flags, ...given }), {
        message: `invalid argument "" for "${flag}" flag: ${words}`,
      });
    });

  for (const [flag, given] of [
    ['-w, --with', { with: ['docker', 'zfs,,systemd'] }],
    ['--withhold', { withhold: ['overlay', 'zfs,,systemd'] }],
  ] as const)
    test(`a name in a list of ${flag} is not passed over`, () => {
      assert.throws(() => machineOf({ ...flags, ...given }), {
        message: `invalid argument "zfs,,systemd" for "${flag}" flag: a name is empty`,
      });
    });

  test('of --append must be for a kernel to read', () => {
    assert.throws(() => machineOf({ ...flags, append: ['debug', 'a\nb'] }), {
      message: 'invalid argument "a\\nb" for "--append" flag: it must be printable ASCII',
    });
    assert.deepEqual(machineOf({ ...flags, append: ['a b', 'c'] }).kernelWords, ['a b', 'c']);
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

  test('of lab ls and lab kernels has examples, and names the backports', () => {
    for (const register of [registerList, registerKernels])
      assert.match(helpOf(register), /Examples:\n {2}tsengine lab/);
    assert.match(helpOf(registerRun), /bookworm-backports/);
  });

  test('of lab run and lab shell says how long a command may take', () => {
    assert.match(helpOf(registerRun), /--timeout seconds.*\n?.*\(default 300\)/);
    assert.match(helpOf(registerShell), /--timeout seconds.*\n?.*\(default none\)/);
  });

  test('lab kernels lists the backports', () => {
    const names = listKernels().map(({ name }) => name);
    assert.ok(names.includes('debian:bookworm-backports'), names.join());
  });

  test('of lab rm says where names come from', () => {
    assert.match(helpOf(registerRemove), /Names are those of 'tsengine lab ls'/);
  });
});
