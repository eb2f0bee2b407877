/**
 * Who holds a block device. device-mapper takes a device that another one of its own is on already: two pools would write over
 * each other. Of whoever else holds it the kernel says no more than that it is busy.
 *
 * What counts is the device and every other that has bytes of it: see same-bytes.ts.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { hasErrno, TsengineError } from '../../errors.ts';
import { makeDev, O_EXCL, O_RDONLY } from '../../linux/at.ts';
import { shellWord } from '../../linux/command.ts';
import { closeFile, listDirectory, openFile, pathExists, readTextIfAny } from '../../linux/files.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';
import { badOption } from '../storage-options.ts';
import { nodeOfSysfs } from './block-part.ts';
import type { Part } from './pool-errors.ts';
import { type Device, diskOf, haveSameBytes, onSameBytes, partitionsOf } from './same-bytes.ts';

/** How often, and how long apart, a device is tried that somebody has for a moment: mkfs or wipefs that is at its end. */
const TRIES = 10;
const PAUSE = 50;

/** Somebody who has a device. */
interface Holder {
  /** What it does with it, after the device's name. */
  readonly does: string;
  /** How that ends. */
  readonly remedy: string;
  /** Its name, where it is a device of device-mapper. */
  readonly mapped?: string;
}

/** Fails where somebody holds a part, or another device with the same bytes. `isOurs` tells which devices of device-mapper do no harm. */
export function mustBeUnheld(part: Part, isOurs: (name: string) => boolean): void {
  const devices = onSameBytes(part.number);
  for (const device of devices) {
    const found = holdersOf(device).find(({ mapped }) => mapped === undefined || !isOurs(mapped));
    if (found !== undefined) throw held(part, device, found);
  }
  const numbers = new Set(devices.map(({ number }) => number));
  for (const device of devices) {
    const partitions = partitionsOf(device);
    // Who has one of these may have another partition of it, which does no harm.
    if (!partitions.every(({ number }) => numbers.has(number))) continue;
    // Those of ours.
    if ([device, ...diskOf(device), ...partitions].some((near) => holdersOf(near).length > 0)) continue;
    if (isTaken(device.node)) throw held(part, device, UNNAMED);
  }
}

/** Fails where the two parts of a pool have bytes in common. */
export function mustDiffer(data: Part, metadata: Part): void {
  if (!haveSameBytes(data.number, metadata.number)) return;
  throw badOption(
    `devicemapper: ${data.path} and ${metadata.path} are the same device: give dm.datadev and dm.metadatadev one each`,
  );
}

function held(part: Part, { node, number }: Device, { does, remedy }: Holder): TsengineError {
  // Of a loop file the device is not what was named, and there is no other to be put in its place.
  const isNamed = part.path === part.node;
  const which = isNamed && number === part.number ? '' : ` (as ${node})`;
  const other = isNamed ? 'name another device, or ' : '';
  return new TsengineError('Conflict', `devicemapper: ${part.path}${which} ${does}: ${other}${remedy} first`);
}

const UNNAMED: Holder = {
  does: 'is in use by something that the kernel does not name (a ZFS pool, a mount in another mount namespace, a program)',
  remedy: 'find it with fuser or lsof and stop it',
};

/** Whether somebody has it for himself alone, or a partition of it, or the disk that it is one of. */
function isTaken(node: string): boolean {
  for (let tries = 0; ; tries++) {
    try {
      closeFile(openFile(node, O_RDONLY | O_EXCL));
      return false;
    } catch (error) {
      // One without a node, and one that went meanwhile.
      if (hasErrno(error, 'ENOENT', 'ENXIO', 'ENODEV')) return false;
      if (!hasErrno(error, 'EBUSY')) throw error;
      if (tries >= TRIES) return true;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
  }
}

function holdersOf(device: Device): Holder[] {
  return [...devicesOn(device), ...mountsOf(device), ...swapOn(device)];
}

/** The devices that stand on it. */
function devicesOn({ folder }: Device): Holder[] {
  return listDirectory(`${folder}/holders`).map((name) => {
    const [mapped, uuid] = ['name', 'uuid'].map((file) =>
      readTextIfAny(`${folder}/holders/${name}/dm/${file}`)?.trim(),
    );
    const node = nodeOfSysfs(name);
    if (mapped === undefined || mapped === '') {
      const remedy = name.startsWith('md') ? `stop that (mdadm --stop ${node})` : 'take that apart';
      return { does: `is in use by ${node}`, remedy };
    }
    return { does: `is in use by ${describeMapped(mapped)}`, remedy: takeDown(mapped, uuid), mapped };
  });
}

function describeMapped(name: string): string {
  return /^docker-\d+:\d+-\d+-pool$/.test(name)
    ? `${name}, the pool of another data root`
    : `the device-mapper device ${name}`;
}

function takeDown(name: string, uuid: string | undefined): string {
  // `GROUP-VOLUME`; a hyphen in either is doubled.
  const group = uuid?.startsWith('LVM-') === true ? /^((?:[^-]|--)+)-[^-]/.exec(name)?.[1] : undefined;
  const command =
    group === undefined
      ? `dmsetup remove ${shellWord(name)}`
      : `vgchange -an ${shellWord(group.replaceAll('--', '-'))}`;
  return `stop what uses that and take it down (${command})`;
}

function isNodeOf(path: string, number: string): boolean {
  const [major, minor] = number.split(':').map(Number);
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isBlockDevice() === true && BigInt(found.rdev) === makeDev(major ?? 0, minor ?? 0);
}

/** Where its filesystem is mounted. btrfs has a number of its own, and may have several devices. */
function mountsOf({ number, folder }: Device): Holder[] {
  const mount = readMountInfo().find(
    ({ major, minor, source }) =>
      `${major}:${minor}` === number ||
      (major === 0 && source.indexOf('/dev/') === 0 && isNodeOf(source.toString(), number)),
  );
  if (mount !== undefined) {
    const point = mount.mountPoint.toString();
    return [{ does: `is mounted on ${point}`, remedy: `unmount it (umount ${shellWord(point)})` }];
  }
  const volumes = '/sys/fs/btrfs';
  const volume = listDirectory(volumes).find((uuid) =>
    pathExists(`${volumes}/${uuid}/devices/${basename(folder)}`),
  );
  return volume === undefined
    ? []
    : [{ does: `is part of the mounted btrfs ${volume}`, remedy: 'unmount that, or take it out of it' }];
}

function swapOn({ number, node }: Device): Holder[] {
  const names = (readTextIfAny('/proc/swaps') ?? '').split('\n').map((line) => line.split(/\s/, 1)[0] ?? '');
  const isSwap = names.some((name) => name.startsWith('/dev/') && isNodeOf(name, number));
  return isSwap ? [{ does: 'is in use as swap', remedy: `end that (swapoff ${shellWord(node)})` }] : [];
}
