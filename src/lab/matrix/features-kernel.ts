/** What a kernel can do that has nothing to do with the filesystem. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../../errors.ts';
import { createMappedDevice, removeMappedDevice } from '../../linux/device-mapper.ts';
import type { Feature } from './schema.ts';
import { runTool } from './tool.ts';

/** Tries them. Never throws. */
export function kernelFeatures(): Feature[] {
  const name = 'deferred removal';
  try {
    const reason = deferredRemoval();
    return [{ name, backing: null, answer: reason === undefined ? 'yes' : 'no', reason: reason ?? '' }];
  } catch (error) {
    const answer = hasErrno(error, 'Unavailable') ? 'unknown' : 'no';
    return [{ name, backing: null, answer, reason: errorMessage(error) }];
  }
}

/** Removes a device of device-mapper that is open, and sees that it goes when it is closed. */
function deferredRemoval(): string | undefined {
  try {
    runTool('modprobe', ['-q', 'dm-mod'], 'kmod');
  } catch {
    // Built in, or not there: the next line tells.
  }
  if (!existsSync('/dev/mapper/control')) return 'this kernel has no device-mapper';
  const name = `tsengine-lab-${process.pid}-${Date.now()}`;
  const node = `/dev/dm-${createMappedDevice(name)}`;
  let removed = false;
  try {
    const fd = openNode(node);
    try {
      removeMappedDevice(name, true);
      removed = true;
    } finally {
      closeSync(fd);
    }
    return isGone(name) ? undefined : 'the device was still there after it was closed';
  } finally {
    if (!removed) removeMappedDevice(name);
  }
}

function openNode(node: string): number {
  try {
    return openSync(node, 'r');
  } catch (error) {
    throw new TsengineError('Unavailable', `cannot open a device just made: ${errorMessage(error)}`);
  }
}

function isGone(name: string): boolean {
  try {
    removeMappedDevice(name);
    return false;
  } catch (error) {
    if (hasErrno(error, 'ENXIO')) return true;
    throw error;
  }
}
