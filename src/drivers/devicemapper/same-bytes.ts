/**
 * Which block devices have bytes in common: a disk and its partitions, a loop device and the device that it is on, loop devices on
 * one file. Each is a part of what is at the bottom, a file or a device on none of these; device-mapper's own are at the bottom too,
 * and the kernel says what they stand on.
 */
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from '../../errors.ts';
import { listDirectory, pathExists, readTextIfAny } from '../../linux/files.ts';
import { loopBacking } from '../../linux/loop.ts';
import { nodeOfSysfs } from './block-part.ts';
import { SECTOR } from './pool-format.ts';

/** A block device, as sysfs has it. */
export interface Device {
  /** `7:0`. */
  readonly number: string;
  readonly node: string;
  readonly folder: string;
}

/** The bytes that a device is. */
interface Extent {
  /** What is at the bottom: the number of a device, or a file. */
  readonly bottom: string;
  readonly start: bigint;
  readonly end: bigint;
}

const ENDLESS = 1n << 64n;
const NUMBERS = '/sys/dev/block';
const NAMES = '/sys/class/block';

/** The device with this number, then all others that have bytes of it. */
export function onSameBytes(number: string): Device[] {
  const extent = extentOf(number);
  const others = listDirectory(NAMES)
    .flatMap((name) => deviceAt(`${NAMES}/${name}`))
    .filter((other) => other.number !== number && overlap(extent, extentOf(other.number)));
  return [...deviceAt(`${NUMBERS}/${number}`), ...others];
}

/** Whether two devices, by their numbers, are the same or have bytes in common. */
export function haveSameBytes(one: string, other: string): boolean {
  return overlap(extentOf(one), extentOf(other));
}

/** The disk that a device is a partition of. */
export function diskOf({ folder }: Device): Device[] {
  return pathExists(`${folder}/partition`) ? deviceAt(dirname(folder)) : [];
}

/** The partitions of a disk. */
export function partitionsOf({ folder }: Device): Device[] {
  return listDirectory(folder)
    .filter((name) => pathExists(`${folder}/${name}/partition`))
    .flatMap((name) => deviceAt(`${folder}/${name}`));
}

/** None where the device has gone. */
function deviceAt(path: string): Device[] {
  let folder: string;
  try {
    folder = realpathSync(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
  const number = readTextIfAny(`${folder}/dev`)?.trim();
  return number === undefined || number === '' ? [] : [{ number, node: nodeOfSysfs(folder), folder }];
}

function extentOf(number: string): Extent {
  const [device] = deviceAt(`${NUMBERS}/${number}`);
  if (device === undefined) return allOf(number);
  const [disk] = diskOf(device);
  if (disk !== undefined) {
    const [start, length] = [sectorsIn(device, 'start'), sectorsIn(device, 'size')];
    return within(extentOf(disk.number), start, length);
  }
  const backing = pathExists(`${device.folder}/loop`) ? loopBacking(device.node) : undefined;
  if (backing === undefined) return allOf(number);
  const below =
    backing.blockDevice === undefined
      ? allOf(`file ${backing.device}:${backing.inode}`)
      : extentOf(backing.blockDevice);
  return within(below, backing.offset, backing.length);
}

function allOf(bottom: string): Extent {
  return { bottom, start: 0n, end: ENDLESS };
}

/** A part of something. A length of 0 is all from there on. */
function within({ bottom, start, end }: Extent, offset: bigint, length: bigint): Extent {
  const from = start + offset;
  const to = from + length;
  return { bottom, start: from, end: length === 0n || to > end ? end : to };
}

function sectorsIn({ folder }: Device, file: string): bigint {
  return BigInt(readTextIfAny(`${folder}/${file}`)?.trim() ?? 0) * BigInt(SECTOR);
}

function overlap(one: Extent, other: Extent): boolean {
  return one.bottom === other.bottom && one.start < other.end && other.start < one.end;
}
