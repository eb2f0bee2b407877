/**
 * The kernel's device-mapper. Source: `linux/dm-ioctl.h`, the same on x86-64 and arm64: `struct dm_ioctl` has 312 bytes with
 * version u32[3] at 0, data_size at 12, data_start at 16, target_count at 20, open_count at 24, flags at 28, event_nr at
 * 32, dev u64 at 40, name char[128] at 48.
 */
import { closeSync, openSync } from 'node:fs';
import { declare } from './libc.ts';
import { cString } from './path.ts';

const SIZE = 312;
const NAME_AT = 48;
const LONGEST_NAME = 127;
const CONTROL = '/dev/mapper/control';
/** `_IOWR(0xfd, nr, struct dm_ioctl)`. */
const IOCTL = 0xc138_fd00;
const DEV_CREATE = 3;
const DEV_REMOVE = 4;
const DEV_SUSPEND = 6;
const TABLE_LOAD = 9;
const DEFERRED_REMOVE = 1 << 17;

const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'void *']);

function call(command: number, name: string, flags: number, targets: readonly Buffer[] = []): Buffer {
  const bytes = cString(name);
  if (bytes.length > LONGEST_NAME) throw new RangeError(`device name ${name} is too long`);
  const request = Buffer.concat([Buffer.alloc(SIZE), ...targets]);
  request.writeUInt32LE(4, 0);
  request.writeUInt32LE(request.length, 12);
  request.writeUInt32LE(SIZE, 16);
  request.writeUInt32LE(targets.length, 20);
  request.writeUInt32LE(flags, 28);
  bytes.copy(request, NAME_AT);
  const control = openSync(CONTROL, 'r+');
  try {
    ioctlCall({ path: name }, control, IOCTL + command, request);
  } finally {
    closeSync(control);
  }
  return request;
}

/** `struct dm_target_spec` without parameters: sector_start u64, length u64, status i32, next u32, target_type char[16]. */
function target(type: string, sectors: number): Buffer {
  const spec = Buffer.alloc(40 + 8);
  spec.writeBigUInt64LE(BigInt(sectors), 8);
  spec.writeUInt32LE(spec.length, 20);
  spec.write(type, 24, 15, 'latin1');
  return spec;
}

/** Makes a device whose every block cannot be read, and gives its minor number; its node is `/dev/dm-MINOR`. */
export function createErrorDevice(name: string, sectors: number): number {
  const device = Number(call(DEV_CREATE, name, 0).readBigUInt64LE(40));
  try {
    call(TABLE_LOAD, name, 0, [target('error', sectors)]);
    // Without the flag that suspends, this resumes: the table becomes the device's.
    call(DEV_SUSPEND, name, 0);
  } catch (error) {
    removeMappedDevice(name);
    throw error;
  }
  return (device & 0xff) | ((device >> 12) & 0xfff00);
}

/** Removes a device. With `deferred` one that is in use is removed when it no longer is; else that fails with `EBUSY`. */
export function removeMappedDevice(name: string, deferred = false): void {
  call(DEV_REMOVE, name, deferred ? DEFERRED_REMOVE : 0);
}
