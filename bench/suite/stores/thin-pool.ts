/**
 * The store of devicemapper: two devices, of which the driver makes its thin pool, and a filesystem for the rest of the data root.
 * The pool belongs to no namespace: who is killed leaves it, with the devices below it, and `removeThinPools` takes it away.
 */
import { existsSync, readFileSync } from 'node:fs';
import { errorMessage, TsengineError } from '../../../src/errors.ts';
import { runTool } from '../../../src/lab/matrix/tool.ts';
import { runCommand } from '../../../src/linux/command.ts';
import { makeFilesystemStore } from './filesystem.ts';
import { isLeft, makeStoreImage, type StoreImage } from './image.ts';
import type { Store, StoreOptions } from './store.ts';

const MIB = 1024 * 1024;
/** Of the pool's metadata: what a pool of a terabyte in blocks of 64 KiB takes. */
const METADATA_SIZE = 512 * MIB;
/** Of the filesystem beside it, which holds JSON. */
const ROOT_SIZE = 1024 * MIB;
const PACKAGE = 'dmsetup';

/** What the driver is told besides its devices: a filesystem that all others are measured on, and room for the largest file. */
function optionsFor(data: StoreImage, metadata: StoreImage, size: number): string[] {
  return [
    `dm.datadev=${data.path}`,
    `dm.metadatadev=${metadata.path}`,
    'dm.fs=ext4',
    `dm.basesize=${Math.floor(size / MIB)}M`,
  ];
}

/** Makes it. Fails with `Unavailable` where the kernel has no thin pools. */
export async function makeThinPoolStore(options: StoreOptions): Promise<Store> {
  if (!hasThinPools()) throw new TsengineError('Unavailable', 'this kernel has no device-mapper');
  const closing = new AsyncDisposableStack();
  try {
    const data = closing.use(makeStoreImage(options, options.size));
    const metadata = closing.use(makeStoreImage(options, METADATA_SIZE));
    const root = closing.use(makeFilesystemStore('ext4', { ...options, size: ROOT_SIZE }));
    closing.defer(() => removePoolsOn(data.name));
    const storageOptions = optionsFor(data, metadata, options.size);
    return {
      kind: 'thin-pool',
      path: root.path,
      devices: [data.name, metadata.name],
      storageOptions,
      mkfs: 'none: the driver makes its thin pool of two devices',
      mountOptions: 'of the driver',
      standIn: null,
      sync: async () => {
        // All its filesystems, of which there is one a layer.
        await runCommand('sync', []);
      },
      used: () => usedOfPool(data.name),
      versions: { ...root.versions, dmsetup: versionOfDmsetup() },
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

/** Of the program and of the kernel's part. */
function versionOfDmsetup(): string {
  const text = runTool('dmsetup', ['version'], PACKAGE);
  return text
    .split('\n')
    .flatMap((line) => /version: +(\S+)/.exec(line)?.[1] ?? [])
    .join(', driver ');
}

function hasDeviceMapper(): boolean {
  return / device-mapper$/m.test(readFileSync('/proc/devices', 'utf8'));
}

/** Whether the kernel has thin pools; their modules are loaded where it has some. */
export function hasThinPools(): boolean {
  try {
    runTool('modprobe', ['-q', '-a', 'dm_mod', 'dm_thin_pool'], 'kmod');
  } catch {
    // They may be built in.
  }
  return hasDeviceMapper();
}

/** A line of `dmsetup status` or `dmsetup table`: the device's name and what follows. */
function linesOf(command: 'status' | 'table'): readonly (readonly [name: string, rest: string])[] {
  const text = runTool('dmsetup', [command, '--target', 'thin-pool'], PACKAGE);
  return text.split('\n').flatMap((line) => {
    const [name, ...rest] = line.split(': ');
    return name === undefined || rest.length === 0 ? [] : [[name, rest.join(': ')] as const];
  });
}

/** The names of the pools whose data is on a device of /sys/block. */
function poolsOn(device: string): string[] {
  const number = readFileSync(`/sys/block/${device}/dev`, 'utf8').trim();
  // START LENGTH thin-pool METADATA DATA BLOCK …
  return linesOf('table').flatMap(([name, rest]) => (rest.split(' ')[4] === number ? [name] : []));
}

/** Sectors of 512 bytes of a block, from the table, times the blocks that are used, from the status. */
function usedOfPool(device: string): number {
  const [pool] = poolsOn(device);
  const table = linesOf('table').find(([name]) => name === pool)?.[1];
  const status = linesOf('status').find(([name]) => name === pool)?.[1];
  const sectors = Number(table?.split(' ')[5]);
  const used = Number(status?.split(' ')[5]?.split('/')[0]);
  if (Number.isFinite(sectors) && Number.isFinite(used)) return sectors * 512 * used;
  throw new TsengineError('System', `dmsetup does not tell how much of the pool on ${device} is used`);
}

/** Removes the pools on a device with all thin devices in them. */
async function removePoolsOn(device: string): Promise<void> {
  for (const pool of poolsOn(device)) await removePool(pool);
}

async function removePool(pool: string): Promise<void> {
  const prefix = pool.replace(/-pool$/, '-');
  const names = (await runCommand('dmsetup', ['ls', '--target', 'thin'])).stdout
    .toString()
    .split('\n')
    .flatMap((line) => line.split('\t')[0] ?? [])
    .filter((name) => name.startsWith(prefix));
  for (const name of [...names, pool]) await runCommand('dmsetup', ['remove', '--retry', name]);
}

/** Takes away what a killed run left: the pools on files of ours that have no name any more. Never throws; what stays is told. */
export async function removeThinPools(warn: (line: string) => void): Promise<void> {
  if (!hasDeviceMapper()) return;
  try {
    for (const [pool, rest] of linesOf('table')) {
      const device = rest.split(' ')[4] ?? '';
      if (isLeft(backingFile(`/sys/dev/block/${device}/loop/backing_file`))) await removePool(pool);
    }
  } catch (error) {
    warn(`thin pools that an earlier run left, if any, stay: ${errorMessage(error)}`);
  }
}

function backingFile(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}
