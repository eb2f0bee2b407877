/** What lies in a fifo. Source: ioctl_tty(2), pipe(7). */
import { declare } from './libc.ts';

const FIONREAD = 0x541b;

const ioctlCall = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'ioctl_fifo');

/** How many bytes nobody has read yet. `fd` is either end of a fifo or pipe. */
export function unreadBytes(fd: number): number {
  const count = Buffer.alloc(4);
  ioctlCall(undefined, fd, FIONREAD, count);
  return count.readInt32LE();
}
