/** The file that a store made by `driver setup` is on, and the disk below it. */
import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { shellWord } from '../linux/command.ts';
import { closeFile, listDirectory, openFile, pathExists, removeFile } from '../linux/files.ts';
import { findMountAt } from '../linux/mountinfo.ts';
import { fallocate, ftruncate } from '../linux/space.ts';
import { fsName, statfs } from '../linux/statfs.ts';
import { sizeText } from '../size-text.ts';
import type { DriverName, StorePlace } from './driver.ts';
import { isDeadMount } from './mount-counter.ts';

/** What a store wants for its own records while a small layer comes in. */
const LEAST_ROOM = 16 * 1024 * 1024;

/** What a pool writes when it is imported, and more. */
const LEAST_TO_WRITE = 1024 * 1024;

/** The file of a store is gone, damaged or could not be written, as `why` says. The message has the way out as well. */
export class LostImageError extends TsengineError {
  readonly why: string;

  constructor({ program }: StorePlace, name: DriverName, why: string, remedy: string, cause?: unknown) {
    super('Unavailable', `${why}: ${remedy}, or give it up with ${program} driver teardown --force ${name}`, {
      cause,
    });
    this.why = why;
  }
}

/** Makes the file, anew: a hole of the store's size, readable for root alone. */
export function makeImage({ image, size }: StorePlace): void {
  removeFile(image);
  const fd = openFile(image, 'wx', 0o600);
  try {
    ftruncate(fd, size);
  } catch (error) {
    if (!hasErrno(error, 'EFBIG')) throw error;
    removeFile(image);
    throw new TsengineError(
      'InvalidParameter',
      `size ${sizeText(size)} is too large for a store: the file system below ${dirname(image)} has no files of it`,
      { cause: error },
    );
  } finally {
    closeFile(fd);
  }
}

/** Whether a block of the file that was written once can be written again, however full the disk is. */
function isWrittenInPlace({ image }: StorePlace): boolean {
  return !['btrfs', 'zfs'].includes(fsName(statfs(dirname(image)).magic));
}

/**
 * Takes all of the file's space from its disk, where that has as much and keeps a twentieth of itself: the store can then always be
 * written. Elsewhere the file stays a hole, as it does on tmpfs, whose space is memory, and where blocks are never written in place.
 */
export function takeSpace(place: StorePlace): void {
  const { image, size } = place;
  const { available, total, magic } = statfs(dirname(image));
  if (
    available < size + Math.max(LEAST_ROOM, total / 20) ||
    fsName(magic) === 'tmpfs' ||
    !isWrittenInPlace(place)
  )
    return;
  const fd = openFile(image, 'r+');
  try {
    fallocate(fd, 0, 0, size);
  } catch (error) {
    if (!hasErrno(error, 'EOPNOTSUPP', 'ENOSPC', 'EDQUOT')) throw error;
    ftruncate(fd, 0);
    ftruncate(fd, size);
  } finally {
    closeFile(fd);
  }
}

/** The error for a file that is no filesystem or pool any more. */
export function damagedImage(place: StorePlace, name: DriverName, cause: unknown): LostImageError {
  const why = `${place.image}, which driver setup made for ${name}, cannot be mounted, because it is damaged (${errorMessage(cause)})`;
  return new LostImageError(place, name, why, 'put it back from a backup', cause);
}

/** Fails with `Unavailable` and the way out where the file is gone, or has lost its end. */
export function mustHaveImage(place: StorePlace, name: DriverName): void {
  const { image, size } = place;
  const found = statSync(image, { throwIfNoEntry: false })?.size;
  if (found !== undefined && found >= size) return;
  const what = found === undefined ? 'is gone' : `has only ${found} of its ${size} bytes`;
  const remedy = found === undefined ? 'bring it back' : 'put it back from a backup';
  throw new LostImageError(place, name, `${image}, which driver setup made for ${name}, ${what}`, remedy);
}

/** Fails with `Conflict` where something else is in the place of a store, or is mounted there: the store would hide it. */
export function mustBeBare({ home }: StorePlace, name: DriverName): void {
  if (isDeadMount(home)) {
    throw new TsengineError(
      'Conflict',
      `a file system whose daemon died is mounted at ${home}, where the store of ${name} that driver setup made is to be: umount -l ${shellWord(home)}`,
    );
  }
  if (!pathExists(home) || listDirectory(home).length === 0) return;
  const isMounted = findMountAt(realpathSync.native(home)) !== undefined;
  const [what, remedy] = isMounted
    ? ['another file system is mounted', `umount ${shellWord(home)}`]
    : ['something else is', 'move that away'];
  throw new TsengineError(
    'Conflict',
    `${what} at ${home}, where the store of ${name} that driver setup made is to be: ${remedy}`,
  );
}

/** Bytes that the disk has left for the file. */
function roomFor({ image }: StorePlace): number {
  return statfs(dirname(image)).available;
}

/** Whether the file has all the space that it can ever need. */
function hasItsSpace(place: StorePlace): boolean {
  const found = statSync(place.image, { throwIfNoEntry: false });
  return found !== undefined && found.blocks * 512 >= place.size && isWrittenInPlace(place);
}

/** Bytes of the store's size that neither its file has nor its disk has left for it; 0 where it can become full. */
export function shortfall(place: StorePlace): number {
  const taken = (statSync(place.image, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  return Math.max(0, place.size - taken - roomFor(place));
}

/** Whether there is next to none. */
export function isShort(place: StorePlace): boolean {
  return roomFor(place) < LEAST_ROOM && !hasItsSpace(place);
}

/** Whether there is nothing that a store could write what it must into. */
export function isFull(place: StorePlace): boolean {
  return roomFor(place) < LEAST_TO_WRITE && !hasItsSpace(place);
}

/** How much is left, and the way out. */
export function roomLeft(place: StorePlace, name: DriverName): string {
  return `only ${sizeText(roomFor(place))} are left on the disk of ${place.image}, which driver setup made for ${name}: make room there, ${sizeText(LEAST_ROOM)} at least`;
}

/** The error for a store that takes no writes any more after its file could not be written. */
export function failedStore(place: StorePlace, name: DriverName, cause?: unknown): LostImageError {
  const { home, image } = place;
  const why = `${home} has failed, because ${image}, which driver setup made for ${name}, could not be written`;
  const remedy = `see that its disk has room (${sizeText(roomFor(place))} are left), then umount ${shellWord(home)}, and the next command brings it back`;
  return new LostImageError(place, name, why, remedy, cause);
}
