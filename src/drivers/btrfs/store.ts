/** A btrfs filesystem on a file, mounted at the driver's home. */
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { hasErrno, TsengineError } from '../../errors.ts';
import { findCommand, runOrFail } from '../../linux/command.ts';
import { makeDirectories, pathExists, readTextIfAny } from '../../linux/files.ts';
import { attachedLoop, attachLoop, isLoopOf } from '../../linux/loop.ts';
import { MS_NOATIME, mount, unmount } from '../../linux/mount.ts';
import { findMountAt, type MountInfo } from '../../linux/mountinfo.ts';
import type { StoreMaker, StorePlace } from '../driver.ts';
import { damagedImage, isShort, makeImage, mustBeBare, mustHaveImage, roomLeft } from '../store-image.ts';
import { storeInUse } from '../store-in-use.ts';

function mkfs(): string {
  const program = findCommand('mkfs.btrfs');
  if (program !== undefined) return program;
  throw new TsengineError(
    'Unavailable',
    'btrfs: mkfs.btrfs is missing, which makes the file system: install the package btrfs-progs',
  );
}

/** Whether options of mountinfo say so. */
const isReadOnly = (options: string): boolean => options.split(',').includes('ro');

/** See `StoreMaker`. A crash leaves the file, and what is mounted is so until the machine stops. */
export const btrfsStore: StoreMaker = {
  async check() {
    mkfs();
  },

  async make(place) {
    makeImage(place);
    await runOrFail(mkfs(), ['-q', '-f', place.image], 'cannot set up btrfs');
  },

  async isAttached(place) {
    return mountedAt(place) !== undefined;
  },

  /** The kernel makes the filesystem read-only then, and not the mount, as remounting does. */
  hasFailed(place) {
    const found = mountedAt(place);
    return found !== undefined && isReadOnly(found.superOptions) && !isReadOnly(found.options);
  },

  /** Two devices on one file would be two filesystems that destroy each other: where there is one, it is mounted once more. */
  async attach(place) {
    mustHaveImage(place, 'btrfs');
    mustBeBare(place, 'btrfs');
    makeDirectories(place.home, 0o711);
    using device = attachedLoop(place.image) ?? attachLoop(place.image);
    try {
      mount({ source: device.path, target: place.home, type: 'btrfs', flags: MS_NOATIME });
    } catch (error) {
      throw cannotMount(place, error);
    }
  },

  /** Gives the file up to nobody who could write to it: it has to be mounted nowhere else. */
  async detach(place) {
    try {
      const found = mountedAt(place);
      if (found !== undefined) unmount(found.mountPoint);
    } catch (error) {
      throw hasErrno(error, 'EBUSY') ? storeInUse(place, error) : error;
    }
    if (await staysAttached(place)) throw storeInUse(place);
  },
};

/** The store, where it is mounted at the driver's home; through a symbolic link as well. What else is mounted there is the user's. */
function mountedAt({ home, image }: StorePlace): MountInfo | undefined {
  const found = pathExists(home) ? findMountAt(realpathSync.native(home)) : undefined;
  if (found?.type !== 'btrfs') return undefined;
  return isOn(found.source.toString(), image) ? found : undefined;
}

/** Whether a device has this file, by the file's name or another. Of one that was removed or renamed since, the folder is known. */
function isOn(device: string, image: string): boolean {
  if (!device.startsWith('/dev/loop')) return false;
  const backing = readTextIfAny(`/sys/block/${device.slice('/dev/'.length)}/loop/backing_file`)?.trimEnd();
  if (backing === undefined) return false;
  return (
    backing === image || (pathExists(image) ? isLoopOf(device, image) : dirname(backing) === dirname(image))
  );
}

function cannotMount(place: StorePlace, error: unknown): unknown {
  if (hasErrno(error, 'EIO', 'ENOSPC') && isShort(place))
    return new TsengineError('Unavailable', roomLeft(place, 'btrfs'), { cause: error });
  if (hasErrno(error, 'EINVAL', 'EIO', 'EUCLEAN')) return damagedImage(place, 'btrfs', error);
  if (hasErrno(error, 'EEXIST'))
    return new TsengineError(
      'Conflict',
      `${place.image} cannot be mounted, because a copy of it is: unmount that, or give one of them another id with btrfstune -m while it is not mounted`,
      { cause: error },
    );
  if (!hasErrno(error, 'ENODEV')) return error;
  return new TsengineError(
    'Unavailable',
    'this kernel has no btrfs: take one that has, or another storage driver',
    { cause: error },
  );
}

/** How long a device may take to go after its last mount. Milliseconds. */
const LET_GO = 1000;

async function staysAttached({ image }: StorePlace): Promise<boolean> {
  for (const end = Date.now() + LET_GO; ; await setTimeout(20)) {
    using device = pathExists(image) ? attachedLoop(image) : undefined;
    if (device === undefined) return false;
    if (Date.now() > end) return true;
  }
}
