/** What people get wrong and machines lack: one line each, no machine and nothing half made is left. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LabCache } from '../../src/lab/cache.ts';
import { buildImages } from '../../src/lab/lab.ts';
import { cacheFolder } from '../../src/lab/place.ts';
import { listDirectory } from '../../src/linux/files.ts';
import { childrenOf, commandLine, isAlive } from '../../src/linux/processes.ts';
import { makeFilesystem } from '../helpers/loop.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

let folder = '';
/** A kernel as a file. */
let kernel = '';
let release = '';

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lab-bad-'));
  const names = await buildImages('debian:6.1', [], {});
  const name = names.find((each) => each.startsWith('kernel-')) ?? '';
  kernel = join(folder, 'bzImage');
  copyFileSync(join(cacheFolder(), name, 'vmlinuz'), kernel);
  [release = ''] = readdirSync(join(cacheFolder(), name, 'lib/modules'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command of the lab that must fail, and gives the one line that it says. */
function failing(args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const given = { TSENGINE_LAB_CACHE: join(folder, 'cache'), ...env };
  const ended = spawnSync(launcher, ['lab', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...given },
  });
  assert.notEqual(ended.status, 0, ended.stdout);
  assert.match(ended.stderr, /^tsengine: [^\n]+\n$/);
  // The launcher becomes the command, whose number is in the names of its folders; others may share the cache.
  const isShared = given.TSENGINE_LAB_CACHE === cacheFolder();
  const own = new RegExp(`^(making|machine)-${isShared ? `${ended.pid}-` : ''}`);
  assert.deepEqual(
    listDirectory(given.TSENGINE_LAB_CACHE).filter((name) => own.test(name)),
    [],
  );
  return ended.stderr.trim();
}

describe('one line says what is wrong', () => {
  const run = (...flags: string[]): string[] => ['run', '-q', ...flags, '--', 'true'];

  test('with QEMU', () => {
    assert.match(
      failing(run(), { TSENGINE_LAB_QEMU: '/nonexistent/qemu', TSENGINE_LAB_CACHE: folder }),
      /QEMU, and .* is not there/,
    );
  });

  test("with the machine's mirror", () => {
    const config = join(folder, 'apt.conf');
    const nothing = [
      'Dir::Etc::SourceList "/dev/null";',
      'Dir::Etc::SourceParts "/dev/null";',
      `Dir::State::Lists "${join(folder, 'no-lists')}";`,
    ];
    writeFileSync(config, nothing.join('\n'));
    assert.match(failing(['build', '-q'], { APT_CONFIG: config }), /set up with no Debian mirror/);
    writeFileSync(join(folder, 'dead.list'), 'deb http://127.0.0.1:1/debian bookworm main\n');
    writeFileSync(
      config,
      [`Dir::Etc::SourceList "${join(folder, 'dead.list')}";`, ...nothing.slice(1)].join('\n'),
    );
    assert.match(
      failing(['build', '-q'], { APT_CONFIG: config }),
      /cannot fetch the package lists .*: Failed to fetch/,
    );
  });

  test('with the name or the path of a kernel', () => {
    assert.match(failing(run('-k', 'debian:4.19')), /there is no kernel debian:4\.19: take debian:5\.10/);
    assert.match(failing(run('-k', '/nonexistent/bzImage')), /there is no kernel at \/nonexistent\/bzImage/);
    assert.match(failing(run('-k', launcher)), /is not a Linux kernel that a machine can start/);
    assert.match(
      failing(run('-k', kernel, '--modules', '/nonexistent')),
      /holds no modules of the kernel 6\.1/,
    );
    assert.match(failing(run('-k', kernel, '--initrd', '/nonexistent')), /there is no initial RAM disk/);
    assert.match(
      failing(run('-k', kernel, '--initrd', launcher)),
      /is no initial RAM disk: it is neither a cpio/,
    );
    assert.match(failing(run('--modules', '/lib')), /--modules goes with a kernel of your own/);
  });

  test('with modules that are no folder', () => {
    const words = ['run', '--kernel', kernel, '--modules', '/etc/passwd', '--', 'true'];
    assert.match(failing(words), /--modules names \/etc\/passwd, which is no folder/);
  });

  test('with a kernel without virtio', () => {
    const modules = join(folder, 'modules', release);
    mkdirSync(join(modules, 'kernel'), { recursive: true });
    writeFileSync(join(modules, 'modules.dep'), '');
    writeFileSync(
      join(modules, 'modules.builtin'),
      'kernel/fs/ext4/ext4.ko\nkernel/fs/squashfs/squashfs.ko\n',
    );
    const said = failing(run('-k', kernel, '--modules', modules));
    assert.match(
      said,
      /cannot run in the lab: it has no virtio_pci, virtio_blk, virtio_console, built in or as a module$/,
    );
  });

  test('with no command, which is no answer of one', () => {
    for (const words of [['run'], ['run', '--'], ['run', '--nosuch', 'true']]) {
      const ended = spawnSync(launcher, ['lab', ...words], { encoding: 'utf8' });
      assert.equal(ended.status, 125, ended.stderr);
    }
  });

  test('with features and sizes', () => {
    assert.match(
      failing(run('--with', 'docker,nothing')),
      /a machine can be had with docker, lvm, systemd, zfs, not with nothing/,
    );
    assert.match(
      failing(run('-k', kernel, '--with', 'zfs')),
      /has no module zfs, and the lab compiles it for Debian's kernels only: give --modules with zfs in it/,
    );
    assert.match(failing(run('--memory', '1M')), /too few for a machine/);
    assert.match(failing(run('--withhold', 'a b')), /a b is no name of a module/);
    assert.match(failing(run('--memory', '900T')), /more memory than this machine has itself/);
    assert.match(failing(run('--timeout', '9999999')), /time is more than 0 and at most 2147483 seconds/);
    assert.match(
      failing(run(), { TSENGINE_LAB_ACCELERATOR: 'xyz' }),
      /ACCELERATOR is xyz: it takes kvm or tcg/,
    );
    const known = { TSENGINE_LAB_CACHE: cacheFolder() };
    const withheld = (name: string): string => failing(run('--withhold', name), known);
    assert.match(
      withheld('overlayfs'),
      /module overlayfs cannot be withheld: this kernel has no such module/,
    );
    assert.match(withheld('tmpfs,loop'), /the module tmpfs cannot be withheld/);
  });

  test('with a full disk below the cache', () => {
    using disk = makeFilesystem('tmpfs');
    execFileSync('mount', ['-o', 'remount,size=8m', disk.path]);
    const said = failing(run('-k', kernel), { TSENGINE_LAB_CACHE: disk.path });
    assert.match(said, /cannot make kernel-own-.*: the disk with the lab's cache, .*, is full: make room/);
  });

  test("with a cache of somebody else's", () => {
    using disk = makeFilesystem('tmpfs');
    mkdirSync(join(disk.path, 'locks'));
    execFileSync('mount', ['-o', 'remount,ro', disk.path]);
    const hint =
      /cannot use the lab's cache .*read-only file system: set TSENGINE_LAB_CACHE to a folder of yours$/;
    assert.match(failing(run(), { TSENGINE_LAB_CACHE: disk.path }), hint);
  });

  test('with somebody who is not root and has no root image, before anything is fetched', () => {
    const cache = mkdtempSync(join(tmpdir(), 'lab-nobody-'));
    chmodSync(cache, 0o777);
    const ended = spawnSync(launcher, ['lab', 'run', '--', 'true'], {
      encoding: 'utf8',
      env: { ...process.env, TSENGINE_LAB_CACHE: cache },
      uid: 65534,
      gid: 65534,
    });
    const made = readdirSync(cache).filter((name) => name !== 'locks');
    rmSync(cache, { recursive: true });
    assert.match(
      ended.stderr,
      /^tsengine: cannot make the root image of the lab: .* needs root's rights: .*\n$/,
    );
    assert.equal(ended.status, 125);
    assert.deepEqual(made, []);
  });

  test('with a folder for results that cannot be made or written, which is not made for a kernel that is none', () => {
    const never = join(folder, 'never/made');
    assert.match(failing(['run', '-k', 'debian:nosuch', '--results', never, '--', 'true']), /no kernel/);
    assert.equal(existsSync(join(folder, 'never')), false);
    assert.match(
      failing(run('--results', join(kernel, 'below'))),
      /results cannot be written to .*not a directory/,
    );
    using disk = makeFilesystem('tmpfs');
    execFileSync('mount', ['-o', 'remount,ro', disk.path]);
    assert.match(
      failing(run('--results', disk.path)),
      /results cannot be written to .*read-only file system/,
    );
  });
});

/** Waits for as long as a very busy machine may need. */
async function until(done: () => boolean): Promise<void> {
  for (let asked = 0; !done(); asked += 1) {
    assert.ok(asked < 4000, 'it never came to that');
    await sleep(50);
  }
}

describe('a machine ends with its lab', () => {
  /** Starts a machine for a command without end, and waits for its QEMU. */
  async function start(): Promise<{ lab: ChildProcess; qemu: number }> {
    const lab = spawn(launcher, ['lab', 'run', '-q', '--', 'sleep', '1000000'], { stdio: 'ignore' });
    let qemu: number | undefined;
    await until(() => {
      qemu = childrenOf(lab.pid ?? 0).find((pid) => commandLine(pid)[0]?.includes('qemu') === true);
      return qemu !== undefined || lab.exitCode !== null;
    });
    assert.ok(qemu !== undefined, 'no QEMU was started');
    return { lab, qemu };
  }

  test('whose terminal is closed, as by SIGHUP, and the results come', async () => {
    const results = join(folder, 'hung up');
    const script = fileURLToPath(new URL('hang-up.py', import.meta.url));
    const words = [script, launcher, 'lab', 'shell', '--results', results];
    const child = spawn('python3', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
    });
    await once(child, 'close');
    assert.equal(said, '129\n');
    assert.equal(readFileSync(join(results, 'left'), 'utf8'), 'left\n');
  });

  for (const [signal, code] of [
    ['SIGKILL', null],
    ['SIGINT', 130],
  ] as const) {
    test(`that ends by ${signal}`, async () => {
      const { lab, qemu } = await start();
      const gone = once(lab, 'exit');
      lab.kill(signal);
      assert.equal((await gone)[0], code);
      await until(() => !isAlive(qemu));
      // The next user removes what a killed one could not.
      const cache = new LabCache({ progress: () => undefined, signal: undefined });
      (await cache.workFolder('machine'))[Symbol.dispose]();
      const left = readdirSync(cache.folder).filter((name) => name.startsWith(`machine-${lab.pid}-`));
      assert.deepEqual(left, []);
    });
  }
});
