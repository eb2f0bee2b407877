/**
 * How a pool of ours becomes larger: its loop files as somebody asked, or with a device that has grown. A kill between a file and
 * the pool's table leaves a larger file, which the next command that asks for the size gives to the pool.
 */
import { errorMessage } from '../../errors.ts';
import { blockDeviceSize } from '../../linux/block-device.ts';
import { reloadDevice, targetOf } from '../../linux/device-mapper.ts';
import { updateLoopSize } from '../../linux/loop.ts';
import { nodeOfNumber } from './block-part.ts';
import { growLoopFile, type LoopFile, mustBeWhole } from './loop-file.ts';
import type { DevicemapperOptions } from './options.ts';
import type { Pool } from './pool.ts';
import { isMetadataBehind, type PoolDevices, poolTable } from './pool-format.ts';
import { mustKnowAll } from './room.ts';

/** What is asked of the pool, which is active. */
export type GrowingPool = Pick<Pool, 'name' | 'files' | 'source' | 'status' | 'devices' | 'size'>;

/** The sizes that are asked for. */
type Wanted = Pick<DevicemapperOptions, 'loopDataSize' | 'loopMetadataSize'>;

/**
 * Gives a pool on loop files the sizes that were asked for; one that was full goes on then. Files never shrink. The metadata comes
 * first, because the kernel takes room in it for all new blocks of the data at once. A pool that would hold writes when it is full,
 * as Docker's do, fails them from then on.
 */
export function growAsAsked(pool: GrowingPool, { loopDataSize, loopMetadataSize }: Wanted): void {
  const devices = pool.devices();
  const isLarger = extend(pool, 'metadata', devices, loopMetadataSize);
  const isBehind = loopMetadataSize !== undefined && isMetadataUnknown(pool, devices);
  if (isLarger || isBehind || !failsWhenFull(pool))
    reloadDevice(pool.name, poolTable(devices, pool.size(), devices.blockBytes));
  if (loopDataSize === undefined || pool.files.data === undefined) return;
  const blocks = Math.floor(loopDataSize / devices.blockBytes);
  if (loopDataSize > pool.size()) mustKnowAll(pool, pool.status(), blocks);
  const hasGrown = extend(pool, 'data', devices, loopDataSize);
  const bytes = blockDeviceSize(nodeOfNumber(devices.data));
  // A kill may have come between the two.
  if (hasGrown || bytes > pool.size()) growTable(pool, devices, bytes);
}

/** Lets a pool have all of its data device. One that cannot goes on as it is, and `warn` takes why. */
export function fillDevice(pool: GrowingPool, warn: (message: string) => void): void {
  const devices = pool.devices();
  const bytes = blockDeviceSize(nodeOfNumber(devices.data));
  if (bytes - pool.size() < devices.blockBytes) return;
  try {
    growTable(pool, devices, bytes);
  } catch (error) {
    warn(errorMessage(error));
  }
}

/** Lets a loop file become as large as was asked for. Gives whether it did. */
function extend(pool: GrowingPool, name: LoopFile, devices: PoolDevices, size: number | undefined): boolean {
  const [file, node] = [pool.files[name], nodeOfNumber(devices[name])];
  if (file === undefined || size === undefined || blockDeviceSize(node) >= size) return false;
  mustBeWhole(pool.source());
  growLoopFile(name, file, size);
  updateLoopSize(node);
  return true;
}

/** Has a pool's table cover so many bytes. Its data device is that large. */
function growTable(pool: GrowingPool, devices: PoolDevices, bytes: number): void {
  mustKnowAll(pool, pool.status(), Math.floor(bytes / devices.blockBytes));
  reloadDevice(pool.name, poolTable(devices, bytes, devices.blockBytes));
}

/** The table says nothing of the metadata's size, which the kernel looks at when it gets one. */
function isMetadataUnknown(pool: GrowingPool, { metadata }: PoolDevices): boolean {
  if (pool.files.metadata === undefined) return false;
  return isMetadataBehind(pool.status(), blockDeviceSize(nodeOfNumber(metadata)));
}

function failsWhenFull({ name }: GrowingPool): boolean {
  return targetOf(name, 'table')?.parameters.includes('error_if_no_space') !== false;
}
