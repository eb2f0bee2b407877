/** Modules that a kernel is to do without: which can be, whatever else the machine has. The machine is a program that notes QEMU's arguments. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type MachineRequest, runInMachine } from '../../src/lab/lab.ts';
import { parseModules } from '../../src/lab/modules.ts';
import { mustBeWithholdable, sortWithheld } from '../../src/lab/withheld.ts';
import { BUILT_IN, DEP, type SmallCache, smallCache } from './small-cache.ts';

describe('a module', () => {
  const sorted = (...names: string[]) => {
    const { names: withheld, others } = sortWithheld(names, parseModules(DEP, BUILT_IN));
    return [withheld, others.map(({ message }) => message)];
  };

  test('that the kernel has as one is withheld, under the name that the kernel compares', () => {
    assert.deepEqual(sorted('overlay', 'overlay'), [['overlay'], []]);
    assert.deepEqual(sortWithheld(['dm-thin-pool'], parseModules('', '')), {
      names: ['dm_thin_pool'],
      others: [],
    });
  });

  test('that it has built in, has not, or starts from is not, each for its reason', () => {
    assert.deepEqual(sorted('fuse', 'nosuch', 'jbd2', 'overlay'), [
      ['overlay'],
      [
        'the module fuse cannot be withheld: this kernel has it built in',
        'the module nosuch cannot be withheld: this kernel has no such module',
        "the module jbd2 cannot be withheld: the lab's machines start with it",
      ],
    ]);
  });

  test('that every machine starts from is refused whatever the kernel', () => {
    for (const name of ['squashfs', 'virtio-blk', 'virtio_blk', 'ext4'])
      assert.throws(() => mustBeWithholdable(['overlay', name]), {
        code: 'InvalidParameter',
        message: `the module ${name} cannot be withheld: the lab's machines start with it`,
      });
    mustBeWithholdable(['overlay', 'dm-thin-pool']);
  });
});

describe('a machine', () => {
  let place: SmallCache | undefined;
  let folder = '';
  const environment = { ...process.env };
  before(async () => {
    place = await smallCache();
    folder = place.folder;
    const qemu = join(folder, 'qemu');
    const script = `#!/bin/sh\n[ "$1" != --version ] || exec echo QEMU\nprintf '%s\\n' "$@" >${folder}/arguments\n`;
    writeFileSync(qemu, script);
    chmodSync(qemu, 0o755);
    Object.assign(process.env, place.environment(qemu));
  });
  after(() => {
    process.env = environment;
    place?.[Symbol.dispose]();
  });

  /** Runs it, which comes to nothing; gives the modules that it was to withhold, and what was told. */
  async function withholding(
    withheldModules: readonly string[],
    more: Partial<MachineRequest> = {},
  ): Promise<readonly [withheld: string | undefined, notices: readonly string[]]> {
    const notices: string[] = [];
    const code = join(folder, 'code');
    writeFileSync(code, '');
    const request: MachineRequest = {
      ...{ kernel: 'debian:6.1', with: ['zfs'], command: ['true'], code, withheldModules, ...more },
      onNotice: (line) => notices.push(line),
    };
    await assert.rejects(runInMachine(request), { kind: 'no-boot' });
    const words = readFileSync(join(folder, 'arguments'), 'utf8');
    return [/module_blacklist=(\S+)/.exec(words)?.[1], notices];
  }

  test('with zfs is asked for what its kernel has, and for zfs', async () => {
    const wrong = { message: 'the module nosuch cannot be withheld: this kernel has no such module' };
    const request = { kernel: 'debian:6.1', with: ['zfs' as const], command: ['true'] };
    await assert.rejects(runInMachine({ ...request, withheldModules: ['overlay', 'nosuch'] }), wrong);
    assert.deepEqual(await withholding(['overlay', 'zfs']), ['overlay,zfs', []]);
  });

  test('of several with other kernels does without what its kernel has, and tells of the rest', async () => {
    assert.deepEqual(await withholding(['nosuch', 'zfs', 'fuse'], { passOverLacking: true }), [
      'zfs',
      [
        'the module nosuch cannot be withheld: this kernel has no such module',
        'the module fuse cannot be withheld: this kernel has it built in',
      ],
    ]);
  });

  test('has no disk that is larger than a file can be, which is said with flag and size', async () => {
    const request = { kernel: 'debian:6.1', command: ['true'], code: join(folder, 'code') };
    await assert.rejects(runInMachine({ ...request, disks: [2 ** 20, 100 * 2 ** 50] }), {
      code: 'InvalidParameter',
      message: `a disk of 104857600 GiB (--disk) cannot be made: no file of that size fits the file system of the lab's cache, ${folder}/cache: give it less`,
    });
  });
});
