/** A btrfs filesystem on a file, mounted at the driver's home. */
import { hasErrno, TsengineError } from '../../errors.ts';
import { findCommand, runOrFail } from '../../linux/command.ts';
import { makeDirectories } from '../../linux/files.ts';
import { attachLoop } from '../../linux/loop.ts';
import { MS_NOATIME, mount, unmount } from '../../linux/mount.ts';
import { findMountAt } from '../../linux/mountinfo.ts';
import type { StoreMaker } from '../driver.ts';
import { damagedImage, isShort, makeImage, mustHaveImage, roomLeft } from '../store-image.ts';
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

  async isAttached({ home }) {
    return findMountAt(home)?.type === 'btrfs';
  },

  /** The kernel makes the filesystem read-only then, and not the mount, as remounting does. */
  hasFailed({ home }) {
    const found = findMountAt(home);
    return found !== undefined && isReadOnly(found.superOptions) && !isReadOnly(found.options);
  },

  async attach(place) {
    mustHaveImage(place, 'btrfs');
    makeDirectories(place.home, 0o711);
    using device = attachLoop(place.image);
    try {
      mount({ source: device.path, target: place.home, type: 'btrfs', flags: MS_NOATIME });
    } catch (error) {
      if (hasErrno(error, 'EIO', 'ENOSPC') && isShort(place))
        throw new TsengineError('Unavailable', roomLeft(place, 'btrfs'), { cause: error });
      if (hasErrno(error, 'EINVAL', 'EIO', 'EUCLEAN')) throw damagedImage(place, 'btrfs', error);
      if (!hasErrno(error, 'ENODEV')) throw error;
      throw new TsengineError(
        'Unavailable',
        'this kernel has no btrfs: take one that has, or another storage driver',
        { cause: error },
      );
    }
  },

  async detach(place) {
    if (findMountAt(place.home) === undefined) return;
    try {
      unmount(place.home);
    } catch (error) {
      throw hasErrno(error, 'EBUSY') ? storeInUse(place, 'btrfs', error) : error;
    }
  },
};
