/** What a kernel can do that has nothing to do with the filesystem. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { createErrorDevice, removeDevice } from '../../linux/device-mapper.ts';
import type { Feature } from './schema.ts';
import { runTool } from './tool.ts';

/** How often a device that was removed is looked for, and how long after the last look: udev may have it open as well. */
const LOOKS = 100;
const PAUSE = 50;

/** Tries them. Never throws. */
export async function kernelFeatures(): Promise<Feature[]> {
  const name = 'deferred removal';
  try {
    const reason = await deferredRemoval();
    return [{ name, backing: null, answer: reason === undefined ? 'yes' : 'no', reason: reason ?? '' }];
  } catch (error) {
    const answer = hasErrno(error, 'Unavailable') ? 'unknown' : 'no';
    return [{ name, backing: null, answer, reason: errorMessage(error) }];
  }
}

/** Removes a device of device-mapper that is open, and sees that it goes when it is closed. */
async function deferredRemoval(): Promise<string | undefined> {
  try {
    runTool('modprobe', ['-q', 'dm-mod'], 'kmod');
  } catch {
    // Built in, or not there: the next line tells.
  }
  if (!existsSync('/dev/mapper/control')) return 'this kernel has no device-mapper';
  const name = `tsengine-lab-${process.pid}-${Date.now()}`;
  const minor = createErrorDevice(name, 8);
  const node = `/dev/dm-${minor}`;
  let removed = false;
  try {
    const fd = openNode(node);
    try {
      removeDevice(name, true);
    } finally {
      closeSync(fd);
    }
    removed = await isGone(minor);
    return removed ? undefined : 'the device was still there after it was closed';
  } finally {
    if (!removed) removeDevice(name);
  }
}

function openNode(node: string): number {
  try {
    return openSync(node, 'r');
  } catch (error) {
    throw new TsengineError('Unavailable', `cannot open a device just made: ${errorMessage(error)}`);
  }
}

/** Only looks: removing it in order to see would be quicker than the kernel, which does so a moment after the last close. */
async function isGone(minor: number): Promise<boolean> {
  for (let look = 0; look < LOOKS; look++) {
    if (!existsSync(`/sys/class/block/dm-${minor}`)) return true;
    await sleep(PAUSE);
  }
  return false;
}
