/**
 * The kernel's device-mapper, through its control device. Source: `linux/dm-ioctl.h`, the same on x86-64 and arm64:
 * `struct dm_ioctl` has 312 bytes with version u32[3] at 0, data_size at 12, data_start at 16, target_count at 20, open_count
 * at 24, flags at 28, event_nr at 32, dev u64 at 40, name char[128] at 48. What a call gives back begins at data_start.
 *
 * Devices are made without udev's help, and with it where it runs: see udev-cookie.ts and device-node.ts.
 */
import { hasErrno } from '../errors.ts';
import { linkNode, makeNode, removeNode } from './device-node.ts';
import { SyscallError } from './errno.ts';
import { closeFile } from './files.ts';
import { declare } from './libc.ts';
import { MAPPER_CONTROL, openMiscDevice } from './misc-device.ts';
import { cString } from './path.ts';
import { type UdevCookie, udevCookie } from './udev-cookie.ts';

const SIZE = 312;
const NAME_AT = 48;
const LONGEST_NAME = 127;
/** `_IOWR(0xfd, nr, struct dm_ioctl)`. */
const IOCTL = 0xc138_fd00;
const VERSION = [0, 'DM_VERSION'] as const;
const LIST_DEVICES = [2, 'DM_LIST_DEVICES'] as const;
const DEV_CREATE = [3, 'DM_DEV_CREATE'] as const;
const DEV_REMOVE = [4, 'DM_DEV_REMOVE'] as const;
const DEV_SUSPEND = [6, 'DM_DEV_SUSPEND'] as const;
const DEV_STATUS = [7, 'DM_DEV_STATUS'] as const;
const TABLE_LOAD = [9, 'DM_TABLE_LOAD'] as const;
const TABLE_STATUS = [12, 'DM_TABLE_STATUS'] as const;
const TARGET_MSG = [14, 'DM_TARGET_MSG'] as const;
const GET_TARGET_VERSION = [17, 'DM_GET_TARGET_VERSION'] as const;
const READ_ONLY = 1 << 0;
const SUSPENDED = 1 << 1;
const STATUS_TABLE = 1 << 4;
const ACTIVE_PRESENT = 1 << 5;
const BUFFER_FULL = 1 << 8;
const NO_FLUSH = 1 << 11;
const UEVENT_GENERATED = 1 << 13;
const DEFERRED_REMOVE = 1 << 17;
/** `struct dm_target_spec` without parameters: sector_start u64, length u64, status i32, next u32, target_type char[16]. */
const TARGET_SIZE = 40;

/** A command's number, and what errors call it. */
type Command = readonly [nr: number, name: string];

const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'ioctl_dm');

/** One target that covers a whole device. */
export interface Target {
  /** `thin-pool`, `thin`, `linear`, `error`… */
  readonly type: string;
  /** Of 512 bytes each. */
  readonly sectors: number;
  /** What the target's documentation calls its table line or its status line, without the two numbers and the type. */
  readonly parameters: string;
}

/** What the kernel says of a device. */
export interface MappedDevice {
  readonly major: number;
  readonly minor: number;
  /** How often it is open: by mounts, by devices above it, by programs. */
  readonly users: number;
  readonly isSuspended: boolean;
  /** Whether it goes as soon as nobody has it open. */
  readonly isLeaving: boolean;
  /** Whether it has a table. One that a killed process only began to make has none. */
  readonly isLive: boolean;
}

interface Extra {
  readonly flags?: number;
  readonly data?: Buffer;
  readonly targets?: number;
  readonly room?: number;
  readonly cookie?: UdevCookie | undefined;
}

function call([nr, command]: Command, name: string, extra: Extra = {}): Buffer {
  const bytes = cString(name);
  if (bytes.length > LONGEST_NAME + 1) throw new SyscallError(command, 'ENAMETOOLONG', { path: name });
  const { data = Buffer.alloc(0), room = 0 } = extra;
  const request = Buffer.concat([Buffer.alloc(SIZE), data, Buffer.alloc(room)]);
  request.writeUInt32LE(4, 0);
  request.writeUInt32LE(request.length, 12);
  request.writeUInt32LE(SIZE, 16);
  request.writeUInt32LE(extra.targets ?? 0, 20);
  request.writeUInt32LE(extra.flags ?? 0, 28);
  request.writeUInt32LE(extra.cookie?.value ?? 0, 32);
  bytes.copy(request, NAME_AT);
  const control = openMiscDevice(MAPPER_CONTROL);
  try {
    const result = ioctlCall.attempt({ path: name }, control, IOCTL + nr, request);
    if (result < 0) throw new SyscallError(command, -result, { path: name });
  } finally {
    closeFile(control);
  }
  return request;
}

/** The same for a call whose answer may need more room than was given. */
function callForData(command: Command, name: string, flags: number): Buffer {
  for (let room = 4096; ; room *= 4) {
    const answer = call(command, name, { flags, room });
    if ((answer.readUInt32LE(28) & BUFFER_FULL) === 0) return answer;
  }
}

/** What udev has been told of devices, and nobody has waited for yet. */
const unsettled = new Map<string, UdevCookie>();

/** A call after which the kernel tells udev, and that returns when udev is done; unless it is `later`. */
function callWithUdev(command: Command, name: string, flags: number, later = false): Buffer {
  settleDevice(name);
  using stack = new DisposableStack();
  const cookie = udevCookie();
  if (cookie !== undefined) stack.use(cookie);
  const answer = call(command, name, { flags, cookie });
  if (cookie === undefined || (answer.readUInt32LE(28) & UEVENT_GENERATED) === 0) return answer;
  if (!later) cookie.wait();
  else {
    stack.move();
    unsettled.set(name, cookie);
  }
  return answer;
}

/** Returns when udev is done with what `beginDevice` told it of a device. */
export function settleDevice(name: string): void {
  using cookie = unsettled.get(name);
  unsettled.delete(name);
  cookie?.wait();
}

function decode(answer: Buffer): MappedDevice {
  const device = Number(answer.readBigUInt64LE(40));
  const flags = answer.readUInt32LE(28);
  return {
    major: (device >> 8) & 0xfff,
    minor: (device & 0xff) | ((device >> 12) & 0xfff00),
    users: answer.readInt32LE(24),
    isSuspended: (flags & SUSPENDED) !== 0,
    isLeaving: (flags & DEFERRED_REMOVE) !== 0,
    isLive: (flags & ACTIVE_PRESENT) !== 0,
  };
}

/** The version of the kernel's interface, `4.47.0`. Fails with `ENODEV` where the kernel has no device-mapper. */
export function deviceMapperVersion(): string {
  const answer = call(VERSION, '');
  return [0, 4, 8].map((at) => answer.readUInt32LE(at)).join('.');
}

/** Whether the kernel has a target of this type, or loads it now. Kernels before 5.5 are not asked: yes. */
export function hasTarget(type: string): boolean {
  try {
    call(GET_TARGET_VERSION, type, { room: 1024 });
    return true;
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'ENXIO')) return false;
    if (hasErrno(error, 'ENOTTY')) return true;
    throw error;
  }
}

function spec({ type, sectors, parameters }: Target): Buffer {
  const text = cString(parameters);
  // The kernel wants the next one, were there any, at a multiple of eight.
  const buffer = Buffer.alloc(Math.ceil((TARGET_SIZE + text.length) / 8) * 8);
  buffer.writeBigUInt64LE(BigInt(sectors), 8);
  buffer.writeUInt32LE(buffer.length, 20);
  buffer.write(type, 24, 15, 'latin1');
  text.copy(buffer, TARGET_SIZE);
  return buffer;
}

/**
 * Makes a device of one target and gives it. Fails with `EBUSY` where the name is taken, and with the target's own error where
 * it does not like its parameters; nothing is left then. A kill leaves a device without a table.
 */
export function createDevice(name: string, target: Target, isReadOnly = false): MappedDevice {
  return makeDevice(name, target, isReadOnly ? READ_ONLY : 0, false);
}

/**
 * The same, while udev is still at work on the device, which takes it longer than mounting does: `settleDevice` waits for that, and
 * whatever here is done with the device next does so first.
 */
export function beginDevice(name: string, target: Target): MappedDevice {
  return makeDevice(name, target, 0, true);
}

function makeDevice(name: string, target: Target, flags: number, later: boolean): MappedDevice {
  call(DEV_CREATE, name, { flags });
  try {
    call(TABLE_LOAD, name, { flags, data: spec(target), targets: 1 });
    const device = decode(callWithUdev(DEV_SUSPEND, name, flags, later));
    if (later) linkNode(name, device.major, device.minor);
    makeNode(name, device.major, device.minor);
    return device;
  } catch (error) {
    removeDevice(name);
    throw error;
  }
}

/**
 * Gives a device another table: it waits for what is being written, and goes on with the new one. Where that one does not start the
 * device goes on with the one before. A kill leaves it suspended.
 */
export function reloadDevice(name: string, target: Target): void {
  const before = targetOf(name, 'table');
  call(TABLE_LOAD, name, { data: spec(target), targets: 1 });
  suspendDevice(name);
  try {
    resumeDevice(name);
  } catch (error) {
    if (before !== undefined) goBackTo(name, before);
    throw error;
  }
}

/** Has a device that does not start go on with an earlier table. Where that does not start either there is nothing more to say. */
function goBackTo(name: string, before: Target): void {
  try {
    call(TABLE_LOAD, name, { data: spec(before), targets: 1 });
    resumeDevice(name);
  } catch {
    // What came first is told.
  }
}

/** Stops a device once its filesystem, if one is mounted, has written all and is consistent on disk. Who writes waits. */
export function suspendDevice(name: string): void {
  call(DEV_SUSPEND, name, { flags: SUSPENDED });
}

/** Lets a suspended device go on; one that is not suspended is left as it is. */
export function resumeDevice(name: string): void {
  callWithUdev(DEV_SUSPEND, name, 0);
}

/** What the kernel says of a device; `undefined` where there is none of that name. */
export function deviceStatus(name: string): MappedDevice | undefined {
  // Of a free name the kernel says ENXIO and nothing else. That ENOENT came was seen once, in an emulated machine, and not
  // explained; a call that is wrong for good is wrong twice.
  for (let isSecond = false; ; isSecond = true) {
    try {
      return decode(call(DEV_STATUS, name));
    } catch (error) {
      if (hasErrno(error, 'ENXIO')) return undefined;
      if (isSecond) throw error;
    }
  }
}

/**
 * The first target of a device with its status line, or with its table line; `undefined` where there is no such device. A status
 * is that of the moment: a pool is not made to write its metadata first.
 */
export function targetOf(name: string, what: 'status' | 'table'): Target | undefined {
  let target: Target | undefined;
  unlessGone(name, () => {
    const answer = callForData(TABLE_STATUS, name, what === 'table' ? STATUS_TABLE : NO_FLUSH);
    if (answer.readUInt32LE(20) === 0) return;
    const at = answer.readUInt32LE(16);
    target = {
      type: text(answer, at + 24, 16),
      sectors: Number(answer.readBigUInt64LE(at + 8)),
      parameters: text(answer, at + TARGET_SIZE, answer.length),
    };
  });
  return target;
}

function text(buffer: Buffer, at: number, most: number): string {
  const end = buffer.indexOf(0, at);
  return buffer.toString('latin1', at, Math.min(end < 0 ? buffer.length : end, at + most));
}

/**
 * Does something with a device unless there is none of the name, or it goes away under the call: a deferred removal may come at
 * any moment, and what the kernel answers to a call that it overtakes is not always `ENXIO`. Gives whether the device was there.
 */
export function unlessGone(name: string, work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (deviceStatus(name) === undefined) return false;
    throw error;
  }
}

/** Sends a message to a device's target. `subject` is what an error names. */
export function messageDevice(name: string, message: string): void {
  // `struct dm_target_msg`: sector u64, then the text.
  call(TARGET_MSG, name, { data: Buffer.concat([Buffer.alloc(8), cString(message)]) });
}

/** The names of all devices. */
export function listDevices(): string[] {
  const answer = callForData(LIST_DEVICES, '', 0);
  const names: string[] = [];
  // `struct dm_name_list`: dev u64, next u32 from this one on, name.
  for (let at = answer.readUInt32LE(16), next = 1; next !== 0; at += next) {
    if (at + 12 > answer.length || answer.readBigUInt64LE(at) === 0n) break;
    next = answer.readUInt32LE(at + 8);
    names.push(text(answer, at + 12, LONGEST_NAME));
  }
  return names;
}

/**
 * Removes a device; one that is not there is no error. With `deferred` one that is in use goes when it no longer is; else that
 * fails with `EBUSY`. Gives whether it is gone now.
 */
export function removeDevice(name: string, deferred = false): boolean {
  return remove(name, deferred, callWithUdev);
}

/**
 * The same, without a word to wait for: udev removes its link a moment later. That is all it does for a device that goes, and as it
 * goes when the kernel removes one that was in use.
 */
export function dropDevice(name: string, deferred = false): boolean {
  settleDevice(name);
  return remove(name, deferred, (command, _name, flags) => call(command, name, { flags }));
}

function remove(name: string, deferred: boolean, ask: typeof callWithUdev): boolean {
  let isLeaving = false;
  unlessGone(name, () => {
    const answer = ask(DEV_REMOVE, name, deferred ? DEFERRED_REMOVE : 0);
    isLeaving = (answer.readUInt32LE(28) & DEFERRED_REMOVE) !== 0;
  });
  if (!isLeaving) removeNode(name);
  return !isLeaving;
}

/** Takes back a deferred removal. Gives false where the device has gone meanwhile, or is going. */
export function keepDevice(name: string): boolean {
  try {
    return unlessGone(name, () => messageDevice(name, '@cancel_deferred_remove'));
  } catch (error) {
    if (hasErrno(error, 'EBUSY')) return false;
    throw error;
  }
}

/** Makes a device whose every block cannot be read, and gives its minor number; its node is `/dev/dm-MINOR`. */
export function createErrorDevice(name: string, sectors: number): number {
  return createDevice(name, { type: 'error', sectors, parameters: '' }).minor;
}
