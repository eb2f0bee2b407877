/**
 * The store of zfs: a pool on one device. Where the kernel has no module, zfs-fuse serves it, which is said. A pool of the
 * kernel's belongs to no namespace: who is killed leaves it, and `removeZpools` takes it away.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, TsengineError } from '../../../src/errors.ts';
import { unmountBelow } from '../../../src/lab/matrix/backings.ts';
import { runTool } from '../../../src/lab/matrix/tool.ts';
import { findCommand, runCommand } from '../../../src/linux/command.ts';
import { readTextIfAny } from '../../../src/linux/files.ts';
import { randomBytes } from '../../../src/linux/random.ts';
import { mountOptionsOf } from './filesystem.ts';
import { isRunning, makeStoreImage } from './image.ts';
import type { Store, StoreOptions } from './store.ts';

const PREFIX = 'tsengine-bench-';
const PACKAGE = 'zfsutils-linux';
const FUSE_PACKAGE = 'zfs-fuse';
/** How long zfs-fuse may take until it answers, in milliseconds. */
const PATIENCE = 20_000;

/** Whether the kernel itself has ZFS; its module is loaded where there is one. */
export function hasZfsModule(): boolean {
  if (existsSync('/dev/zfs')) return true;
  try {
    runTool('modprobe', ['-q', 'zfs'], 'kmod');
  } catch {
    return false;
  }
  return existsSync('/dev/zfs');
}

/** Makes a pool and mounts a dataset of it. Only in a mount namespace of its own: zfs-fuse gets folders to itself there. */
export async function makeZpoolStore(options: StoreOptions): Promise<Store> {
  const isFuse = !hasZfsModule();
  if (isFuse) await startZfsFuse();
  const image = makeStoreImage(options, options.size);
  const path = `${options.work}/mounted`;
  const pool = `${PREFIX}${options.owner}-${randomBytes(4).toString('hex')}`;
  let isMade = false;
  const close = async (): Promise<void> => {
    unmountBelow(path);
    // Of zfs-fuse it goes with the daemon, which this namespace alone has.
    if (isMade && !isFuse) await destroyPool(pool);
    image[Symbol.dispose]();
  };
  try {
    mkdirSync(path, { recursive: true });
    const debianPackage = isFuse ? FUSE_PACKAGE : PACKAGE;
    // The machine's own file must not know of it; zdb finds it by this one.
    const cacheFile = `${options.work}/zpool.cache`;
    const words = ['create', '-f', '-o', `cachefile=${cacheFile}`, '-m', 'none', pool, image.path];
    runTool('zpool', words, debianPackage);
    isMade = true;
    // Not in the pool's own dataset: to zdb the name of the pool is that of what holds them all.
    runTool('zfs', ['create', '-o', `mountpoint=${path}`, `${pool}/store`], debianPackage);
    return {
      kind: 'zpool',
      path,
      devices: [image.name],
      storageOptions: [],
      mkfs: 'zpool create; zfs create',
      mountOptions: mountOptionsOf(path),
      standIn: isFuse ? 'zfs-fuse' : null,
      sync: async () => {
        await runCommand('sync', []);
        // zfs-fuse has no such command, and has all on disk before it is done with a property.
        if (isFuse) await runCommand('zfs', ['set', 'tsengine:synced=yes', pool]);
        else await runCommand('zpool', ['sync', pool]);
      },
      used: () => Number(runTool(...usedCommand(pool, isFuse), debianPackage).trim()),
      trim: async () => {
        // Of zfs-fuse there is none.
        if (!isFuse) await runCommand('zpool', ['trim', '-w', pool]);
      },
      fragments: (dataset, inode) =>
        piecesOf(runTool('zdb', ['-U', cacheFile, '-ddddd', dataset, String(inode)], debianPackage)),
      versions: { zfs: versionOfZfs(isFuse) },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * In how many pieces the blocks of a file lie, as zdb(8) lists them in the order of the file: a piece ends where the next block does not
 * begin where the last one ended. Blocks that hold nothing are not there, and those that lie within their pointers have no place.
 */
export function piecesOf(text: string): number {
  let pieces = 0;
  let end = '';
  for (const line of text.split('\n')) {
    const [, device = '', offset = '', size = ''] =
      /^\s*[0-9a-f]+\s+L0\s+([0-9a-f]+):([0-9a-f]+):([0-9a-f]+)\s/.exec(line) ?? [];
    if (size === '') continue;
    if (`${device}:${BigInt(`0x${offset}`)}` !== end) pieces += 1;
    end = `${device}:${BigInt(`0x${offset}`) + BigInt(`0x${size}`)}`;
  }
  if (pieces === 0) throw new TsengineError('System', `zdb told of no blocks: ${text.trim().slice(-200)}`);
  return pieces;
}

function versionOfZfs(isFuse: boolean): string {
  if (isFuse) return 'zfs-fuse';
  return readTextIfAny('/sys/module/zfs/version')?.trim() ?? 'unknown';
}

/** What the pool has given out; zfs-fuse tells it rounded, and the space of all datasets to the byte. */
function usedCommand(pool: string, isFuse: boolean): [program: string, args: readonly string[]] {
  return isFuse
    ? ['zfs', ['get', '-H', '-p', '-o', 'value', 'used', pool]]
    : ['zpool', ['list', '-H', '-p', '-o', 'alloc', pool]];
}

/** How often it is tried while something that has ended still holds it. */
const TRIES = 20;

async function destroyPool(pool: string): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      runTool('zpool', ['destroy', '-f', pool], PACKAGE);
      return;
    } catch (error) {
      if (tried === TRIES) throw error;
      await sleep(250);
    }
  }
}

let daemon: Promise<void> | undefined;

/** Starts a daemon that this mount namespace alone sees, once; it ends with the pid namespace. */
async function startZfsFuse(): Promise<void> {
  daemon ??= start();
  await daemon;
}

async function start(): Promise<void> {
  if (findCommand('zfs-fuse') === undefined)
    throw new TsengineError(
      'Unavailable',
      'this kernel has no ZFS, and zfs-fuse, which would stand in for it, is not installed: apt-get install zfs-fuse',
    );
  for (const folder of ['/run/zfs', '/run/lock', '/var/lib/zfs']) {
    mkdirSync(folder, { recursive: true });
    runTool('mount', ['-t', 'tmpfs', 'none', folder], 'mount');
  }
  const child = spawn('zfs-fuse', ['--enable-xattr', '--no-kstat-mount', '--pidfile', '/run/zfs/pid'], {
    stdio: 'ignore',
  });
  child.on('error', () => undefined);
  for (let waited = 0; waited < PATIENCE; waited += 100) {
    if ((await runCommand('zpool', ['list', '-H', '-o', 'name'])).code === 0) return;
    await sleep(100);
  }
  throw new TsengineError('System', `zfs-fuse did not answer within ${PATIENCE / 1000} s`);
}

/** Destroys pools that a killed run left on files without a name. Never throws; what stays is told. */
export async function removeZpools(warn: (line: string) => void): Promise<void> {
  if (!existsSync('/dev/zfs') || findCommand('zpool') === undefined) return;
  const listed = await runCommand('zpool', ['list', '-H', '-o', 'name']);
  for (const pool of listed.stdout.toString().split('\n')) {
    if (!pool.startsWith(PREFIX) || isRunning(Number(pool.slice(PREFIX.length).split('-')[0]))) continue;
    try {
      runTool('zpool', ['destroy', '-f', pool], PACKAGE);
    } catch (error) {
      warn(`the pool ${pool} that an earlier run left stays: ${errorMessage(error)}`);
    }
  }
}
