/**
 * Layers of a store that is only looked at (`DriverContext.readOnly`): nothing of it is written, neither a file below the home
 * nor a block of the pool. A layer that is mounted is seen through its mount. Any other has a device of its own that cannot be
 * written, on the pool where that is active, else on a pool of its own over loop devices that cannot be written.
 *
 * Mount, device and pool go with the descriptor. A kill before that is set up leaves names with this process's number in them,
 * in `/dev/mapper` and in the run folder, and nothing in the store.
 */
import { dirname } from 'node:path';
import { O_DIRECTORY, O_RDONLY, openAt } from '../../linux/at.ts';
import { blockDeviceSize, readStart } from '../../linux/block-device.ts';
import { createDevice, type MappedDevice, removeDevice } from '../../linux/device-mapper.ts';
import { nodeOf } from '../../linux/device-node.ts';
import { makeDirectories, removeDirectory } from '../../linux/files.ts';
import { attachLoop } from '../../linux/loop.ts';
import { MNT_DETACH, MS_RDONLY, mount, unmount } from '../../linux/mount.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import type { MountedLayer } from '../driver.ts';
import { hasShutDown, isMountPoint } from '../mount-counter.ts';
import { heldOpen } from '../view.ts';
import { blockPart } from './block-part.ts';
import { mustBeUnheld, mustDiffer } from './holders.ts';
import { findFilesystem, noFilesystem } from './layer-filesystem.ts';
import type { DeviceInfo } from './metadata.ts';
import type { Pool } from './pool.ts';
import { lostPool, notMade } from './pool-errors.ts';
import { parseSuperblock, poolTable, SUPERBLOCK_SIZE, thinTable, viewNames } from './pool-format.ts';

/** What is to be seen. */
export interface FrozenRequest {
  readonly pool: Pool;
  readonly info: DeviceInfo;
  /** Where the layer is mounted if somebody uses it. */
  readonly mountPoint: string;
  /** The folder of the tree in the layer's filesystem. */
  readonly tree: string;
  readonly runHome: string;
}

let sequence = 0;

/** Opens a directory. */
export function openDirectory(path: string): number {
  return openAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
}

/** Opens a layer of a store that is only looked at. */
export function openFrozen(request: FrozenRequest): MountedLayer {
  const { mountPoint, pool, info, tree, runHome } = request;
  if (isMountPoint(mountPoint) && !hasShutDown(mountPoint))
    return heldOpen(openDirectory(`${mountPoint}/${tree}`));
  const { device: name, pool: poolName } = viewNames(pool.prefix, process.pid, sequence++);
  const below = pool.device();
  const own = below === undefined ? makeFrozenPool(poolName, pool) : undefined;
  try {
    const { major, minor } = below ?? own ?? { major: 0, minor: 0 };
    const device = createDevice(name, thinTable(`${major}:${minor}`, info.device_id, info.size), true);
    try {
      return heldOpen(openTree(nodeOf(name, device.major, device.minor), `${runHome}/${name}`, tree));
    } finally {
      removeDevice(name, true);
    }
  } finally {
    if (own !== undefined) removeDevice(poolName, true);
  }
}

function makeFrozenPool(name: string, pool: Pool): MappedDevice {
  const parts = pool.source();
  const lost = pool.lostFile();
  if (lost !== undefined) throw lostPool(dirname(dirname(lost)), lost);
  using stack = new DisposableStack();
  const part = (device: string | undefined, file: string) => {
    if (device !== undefined) return blockPart(device);
    const loop = stack.use(attachLoop(file, true));
    return { path: file, node: loop.path, number: `${loop.major}:${loop.minor}` };
  };
  const data = part(parts.data.device, parts.data.file);
  const metadata = part(parts.metadata.device, parts.metadata.file);
  mustDiffer(data, metadata);
  for (const one of [data, metadata]) mustBeUnheld(one, (other) => pool.owns(other));
  const found = parseSuperblock(readStart(metadata.node, SUPERBLOCK_SIZE), metadata.path);
  const numbers = { data: data.number, metadata: metadata.number };
  try {
    const bytes = found?.dataBytes ?? blockDeviceSize(data.node);
    return createDevice(name, poolTable(numbers, bytes, found?.blockBytes ?? 0, true));
  } catch (error) {
    throw notMade({ data, metadata }, false, error);
  }
}

/** A journal that was not closed is not replayed: that would write. */
const WITHOUT_REPLAY = { ext4: 'noload', xfs: 'norecovery,nouuid' } as const;

function openTree(node: string, target: string, tree: string): number {
  const type = findFilesystem(node)?.type;
  if (type === undefined) throw noFilesystem(node);
  makeDirectories(target, 0o700);
  try {
    mount({ source: node, target, type, flags: MS_RDONLY, data: WITHOUT_REPLAY[type] });
    return openDirectory(`${target}/${tree}`);
  } finally {
    if (isMountPoint(target)) unmount(target, MNT_DETACH);
    removeDirectory(target);
  }
}
