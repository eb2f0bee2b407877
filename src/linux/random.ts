/** Random bytes from the kernel. `node:crypto` has them too, and takes 4 to 8 ms to load. */
import { declare } from './libc.ts';

const getrandomCall = declare('getrandom', 'long', ['void *', 'size_t', 'uint']);
/** Up to this many bytes come in one piece and without interruption. Source: getrandom(2). */
const ONE_PIECE = 256;

/** `count` bytes that nobody can guess, at most 256 of them. */
export function randomBytes(count: number): Buffer {
  if (count > ONE_PIECE) throw new RangeError(`${count} random bytes at once: at most ${ONE_PIECE}`);
  const bytes = Buffer.alloc(count);
  getrandomCall(undefined, bytes, count, 0);
  return bytes;
}

/** A number from 0 to below `limit`, which is far below 2 ** 32. For choices, not for keys. */
export function randomIndex(limit: number): number {
  return randomBytes(4).readUInt32LE(0) % limit;
}
