/**
 * Loop devices: files as block devices. Source: loop(4), `linux/loop.h`; `LOOP_CONFIGURE` is there since Linux 5.8.
 */
import { release } from 'node:os';
import { hasErrno, TsengineError } from '../errors.ts';
import { makeDev, mknodAt } from './at.ts';
import { closeFile, listDirectory, openFile, pathExists } from './files.ts';
import { declare } from './libc.ts';
import { LOOP_CONTROL, openMiscDevice } from './misc-device.ts';
import { AT_FDCWD, fstat, S_IFBLK } from './stat.ts';

/** The major number of all loop devices. Source: `linux/major.h`. */
export const LOOP_MAJOR = 7;

const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_SET_CAPACITY = 0x4c07;
const LOOP_GET_STATUS64 = 0x4c05;
/** `struct loop_config`: fd u32, block_size u32, then `struct loop_info64` at 8, with lo_flags at 52 and lo_file_name at 56. */
const CONFIG_SIZE = 304;
const INFO_AT = 8;
const INFO_SIZE = 232;
const FLAGS_AT = 52;
const FILE_NAME_AT = 56;
const FILE_NAME_SIZE = 63;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;

const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'ioctl_loop');
const ioctlNumber = declare('ioctl', 'int', ['int', 'ulong', 'ulong'], 'ioctl_loop');

/** A file that is a block device for as long as somebody has that open: this descriptor, a mount, a device above it. */
export interface LoopDevice extends Disposable {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

/**
 * Attaches a file. The device detaches itself at its last close, so that no kill leaves one. Fails with `Unavailable` on a
 * kernel that cannot do both in one step. With `isDirect` what is read and written of it passes by the page cache of the file's
 * filesystem, where that can.
 */
export function attachLoop(file: string, isReadOnly = false, isDirect = false): LoopDevice {
  const mode = isReadOnly ? 'r' : 'r+';
  const backing = openFile(file, mode);
  try {
    for (;;) {
      const path = `/dev/loop${freeLoop()}`;
      const fd = openLoop(path, mode);
      try {
        configure(
          fd,
          path,
          backing,
          file,
          (isReadOnly ? LO_FLAGS_READ_ONLY : 0) | (isDirect ? LO_FLAGS_DIRECT_IO : 0),
        );
      } catch (error) {
        closeFile(fd);
        // Somebody else took it in between.
        if (hasErrno(error, 'EBUSY')) continue;
        throw hasErrno(error, 'EINVAL') && !configuresLoops(release()) ? tooOld(file, error) : error;
      }
      const { rdevMajor: major, rdevMinor: minor } = fstat(fd);
      return { path, major, minor, [Symbol.dispose]: () => closeFile(fd) };
    }
  } finally {
    closeFile(backing);
  }
}

/**
 * The device that has all of a file already, wherever it is used: by another name of the file, or in another mount namespace. It is held
 * open, so that it stays. `undefined` where none has.
 */
export function attachedLoop(file: string): LoopDevice | undefined {
  for (const name of listDirectory('/sys/block')) {
    if (!name.startsWith('loop') || !pathExists(`/sys/block/${name}/loop`)) continue;
    const path = `/dev/${name}`;
    const fd = openLoop(path, 'r');
    const device = { path, major: LOOP_MAJOR, [Symbol.dispose]: () => closeFile(fd) };
    try {
      if (isLoopOf(path, file) && isWhole(path)) return { ...device, minor: fstat(fd).rdevMinor };
    } catch (error) {
      closeFile(fd);
      throw error;
    }
    closeFile(fd);
  }
  return undefined;
}

function isWhole(path: string): boolean {
  const { offset, length } = loopBacking(path) ?? {};
  return offset === 0n && length === 0n;
}

/** Opens a loop device that the kernel has. Where its node is missing, because no udev made it, it is made. */
function openLoop(path: string, mode: 'r' | 'r+'): number {
  try {
    return openFile(path, mode);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const minor = Number(path.slice('/dev/loop'.length));
  try {
    mknodAt(AT_FDCWD, path, S_IFBLK | 0o600, LOOP_MAJOR, minor);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  return openFile(path, mode);
}

/** Whether a kernel, by its release, has `LOOP_CONFIGURE`. */
export function configuresLoops(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number.parseFloat);
  return major > 5 || (major === 5 && minor >= 8);
}

function tooOld(file: string, cause: unknown): TsengineError {
  return new TsengineError(
    'Unavailable',
    `cannot attach ${file} to a loop device: this needs Linux 5.8 or later, and this is ${release()}`,
    { cause },
  );
}

function freeLoop(): number {
  const control = openMiscDevice(LOOP_CONTROL);
  try {
    return ioctlNumber({ path: LOOP_CONTROL.path }, control, LOOP_CTL_GET_FREE, 0);
  } finally {
    closeFile(control);
  }
}

function configure(fd: number, path: string, backing: number, file: string, flags: number): void {
  const config = Buffer.alloc(CONFIG_SIZE);
  config.writeUInt32LE(backing, 0);
  config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | flags, INFO_AT + FLAGS_AT);
  config.write(file.slice(0, FILE_NAME_SIZE), INFO_AT + FILE_NAME_AT, FILE_NAME_SIZE, 'latin1');
  ioctlCall({ path: file, dest: path }, fd, LOOP_CONFIGURE, config);
}

/** Takes notice of the size that the file has by now. */
export function updateLoopSize(path: string): void {
  const fd = openLoop(path, 'r');
  try {
    ioctlNumber({ path }, fd, LOOP_SET_CAPACITY, 0);
  } finally {
    closeFile(fd);
  }
}

/** What is behind an attached loop device. */
export interface LoopBacking {
  /** The file, as stat(2) says it: the number of its filesystem as `makeDev` gives it, and its inode's. */
  readonly device: bigint;
  readonly inode: bigint;
  /** `7:0` where the file is the node of a block device. */
  readonly blockDevice: string | undefined;
  /** The bytes of it that the device has; a length of 0 is all from there on. */
  readonly offset: bigint;
  readonly length: bigint;
}

/** What is behind a loop device; `undefined` where nothing is attached to it, or it has gone. */
export function loopBacking(path: string): LoopBacking | undefined {
  let fd: number | undefined;
  try {
    fd = openLoop(path, 'r');
    const info = Buffer.alloc(INFO_SIZE);
    ioctlCall({ path }, fd, LOOP_GET_STATUS64, info);
    // lo_device, as `huge_encode_dev` has it, lo_inode, then lo_rdevice, lo_offset, lo_sizelimit.
    const [device = 0n, inode = 0n, node = 0n, offset = 0n, length = 0n] = [0, 8, 16, 24, 32].map((at) =>
      info.readBigUInt64LE(at),
    );
    // Of a regular file it is lo_device again, or nothing.
    const blockDevice = node === 0n || node === device ? undefined : numbersOf(node);
    return { device, inode, blockDevice, offset, length };
  } catch (error) {
    if (hasErrno(error, 'ENXIO')) return undefined;
    throw error;
  } finally {
    if (fd !== undefined) closeFile(fd);
  }
}

/** `major:minor` of what `huge_encode_dev` gives. */
function numbersOf(device: bigint): string {
  return `${(device >> 8n) & 0xfffn}:${(device & 0xffn) | ((device >> 12n) & 0xfffff00n)}`;
}

/** Whether the file behind an attached loop device is this one. False for a device that nothing is attached to. */
export function isLoopOf(path: string, file: string): boolean {
  const backing = openFile(file, 'r');
  try {
    const { devMajor, devMinor, ino } = fstat(backing);
    const found = loopBacking(path);
    return found?.device === makeDev(devMajor, devMinor) && found.inode === ino;
  } finally {
    closeFile(backing);
  }
}
