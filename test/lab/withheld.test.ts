/** Modules that a kernel is to do without: which can be, whatever else the machine has. The machine is a program that notes QEMU's arguments. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type EntryPlan, LabCache } from '../../src/lab/cache.ts';
import { packagesPlan } from '../../src/lab/code-disk.ts';
import { neededModules } from '../../src/lab/guest-init.ts';
import { kernelPlan } from '../../src/lab/kernels.ts';
import { type MachineRequest, runInMachine } from '../../src/lab/lab.ts';
import { parseModules } from '../../src/lab/modules.ts';
import { rootPlan } from '../../src/lab/root-image.ts';
import { mustBeWithholdable, sortWithheld } from '../../src/lab/withheld.ts';
import { zfsPlan } from '../../src/lab/zfs-modules.ts';

const RELEASE = '6.1.0-50';
const DEP = [
  'kernel/fs/overlayfs/overlay.ko:',
  'kernel/fs/jbd2/jbd2.ko:',
  'kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko',
].join('\n');
const BUILT_IN = ['kernel/fs/fuse/fuse.ko', ...neededModules.filter((name) => name !== 'ext4')].join('\n');

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
  let folder = '';
  const environment = { ...process.env };
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lab-withheld-'));
    const qemu = join(folder, 'qemu');
    const script = `#!/bin/sh\n[ "$1" != --version ] || exec echo QEMU\nprintf '%s\\n' "$@" >${folder}/arguments\n`;
    writeFileSync(qemu, script);
    chmodSync(qemu, 0o755);
    process.env.TSENGINE_LAB_QEMU = qemu;
    process.env.TSENGINE_LAB_CACHE = join(folder, 'cache');
    process.env.TSENGINE_LAB_ACCELERATOR = 'tcg';
    await fillCache();
  });
  after(() => {
    process.env = environment;
    rmSync(folder, { recursive: true });
  });

  /** The entries for 6.1 with zfs, of the plans as they are, but for what costs minutes. */
  async function fillCache(): Promise<void> {
    const context = { progress: () => undefined, signal: undefined };
    const cache = new LabCache(context);
    const hold = async (plan: EntryPlan, files: Readonly<Record<string, string>> = {}) => {
      const make = async (made: string): Promise<Record<string, string>> => {
        for (const [name, text] of Object.entries(files)) {
          mkdirSync(dirname(join(made, name)), { recursive: true });
          writeFileSync(join(made, name), text);
        }
        return { release: RELEASE };
      };
      using entry = await cache.hold({ ...plan, make });
      return entry;
    };
    const modules = `lib/modules/${RELEASE}`;
    const kernel = await hold(kernelPlan('debian:6.1', cache, context), {
      [`${modules}/modules.dep`]: DEP,
      [`${modules}/modules.builtin`]: BUILT_IN,
      [`${modules}/kernel/fs/ext4/ext4.ko`]: '',
      [`${modules}/kernel/fs/jbd2/jbd2.ko`]: '',
    });
    await hold(packagesPlan(context));
    await hold(rootPlan(['zfs'], cache, context, 'bookworm'));
    await hold(zfsPlan(kernel, 'bookworm', cache, context));
  }

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
});
