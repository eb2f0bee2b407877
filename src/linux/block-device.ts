/** What is asked of any block device. Source: `linux/fs.h`. */
import { closeFile, openFile, readInto } from './files.ts';
import { declare } from './libc.ts';

/** `_IOR(0x12, 114, size_t)` and `_IO(0x12, 119)`. */
const BLKGETSIZE64 = 0x8008_1272;
const BLKDISCARD = 0x1277;

const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'ioctl_block');

/** How many bytes a block device has. Fails with `ENOTTY` on what is none. */
export function blockDeviceSize(path: string): number {
  const fd = openFile(path, 'r');
  try {
    const size = Buffer.alloc(8);
    ioctlCall({ path }, fd, BLKGETSIZE64, size);
    return Number(size.readBigUInt64LE());
  } finally {
    closeFile(fd);
  }
}

/** Gives back all blocks of a device to what is below it. Fails with `EOPNOTSUPP` where that takes none. */
export function discardDevice(path: string): void {
  const size = blockDeviceSize(path);
  const fd = openFile(path, 'r+');
  try {
    const range = Buffer.alloc(16);
    range.writeBigUInt64LE(BigInt(size), 8);
    ioctlCall({ path }, fd, BLKDISCARD, range);
  } finally {
    closeFile(fd);
  }
}

/** The first bytes of a file or a device; fewer where it has no more. */
export function readStart(path: string, length: number): Buffer {
  const fd = openFile(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    let done = 0;
    for (let got = 1; got > 0 && done < length; done += got) {
      got = readInto(fd, buffer, done, length - done, done);
    }
    return buffer.subarray(0, done);
  } finally {
    closeFile(fd);
  }
}
