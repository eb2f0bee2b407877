/**
 * The SHA-256 of something small that is in memory. Node's binary carries OpenSSL and exports its functions for addons;
 * called directly it is there at once, where `node:crypto` takes 4 to 8 ms to load. Whoever hashes a stream takes that.
 */
import { loadKoffi } from './libc.ts';

/** Source: openssl/sha.h. */
const DIGEST_LENGTH = 32;

type Sha256 = (data: Buffer) => string;

let sha256: Sha256 | undefined;

/** OpenSSL's function in this process; `undefined` in a Node that does not export it. */
function fromOpenSsl(): Sha256 | undefined {
  let native: (data: Buffer, length: number, digest: Buffer) => unknown;
  try {
    native = loadKoffi().load(null).func('SHA256', 'void *', ['const void *', 'size_t', 'void *']);
  } catch {
    return undefined;
  }
  return (data) => {
    const digest = Buffer.alloc(DIGEST_LENGTH);
    native(data, data.length, digest);
    return digest.toString('hex');
  };
}

function fromNode(): Sha256 {
  const { createHash } = process.getBuiltinModule('node:crypto');
  return (data) => createHash('sha256').update(data).digest('hex');
}

/** The digest as 64 hexadecimal characters. */
export function sha256Hex(data: Buffer | string): string {
  sha256 ??= fromOpenSsl() ?? fromNode();
  return sha256(typeof data === 'string' ? Buffer.from(data) : data);
}
