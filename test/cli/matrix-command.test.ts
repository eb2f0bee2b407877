/** The command that a matrix has on record. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { commandOf } from '../../src/cli/commands/lab-matrix.ts';

const plain = { kernels: 'host', backing: '', drivers: '', withhold: '', cellTimeout: '1800', out: 'matrix' };

test('what makes another matrix is in the command, and what belongs to this machine is not', () => {
  assert.equal(
    commandOf({ ...plain, out: '/tmp/x', jobs: '4', fresh: true, quiet: true }, 'tsengine lab matrix'),
    'tsengine lab matrix --kernels host',
  );
  const flags = { drivers: 'vfs', backing: 'ext4,xfs', withhold: 'overlay', memory: '1g', cellTimeout: '60' };
  assert.equal(
    commandOf({ ...plain, ...flags, full: true }, 'tsengine lab matrix'),
    'tsengine lab matrix --kernels host --drivers vfs --backing ext4,xfs --full --withhold overlay --memory 1g --cell-timeout 60',
  );
});

test('modules and the initial RAM disk of an own kernel are, and a shell reads each back as one word', () => {
  const [kernels, modules, initrd] = ['./my kernel/bzImage', "./it's $HOME/lib/modules", './initrd.img'];
  const command = commandOf({ ...plain, kernels, modules, initrd }, 'tsengine lab matrix');
  const said = execFileSync('sh', ['-c', command.replace('tsengine', 'printf "%s\\n"')], {
    encoding: 'utf8',
  });
  assert.deepEqual(said.trimEnd().split('\n'), [
    ...['lab', 'matrix', '--kernels', kernels],
    ...['--modules', modules, '--initrd', initrd],
  ]);
  assert.match(command, / --initrd \.\/initrd\.img$/);
});
