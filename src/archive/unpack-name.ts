import { TsengineError } from '../errors.ts';
import type { SyscallError } from '../linux/errno.ts';
import { printableMember } from './fail.ts';
import { LIMITS } from './types.ts';

/** A member's place in the layer. Latin1 strings (one character a byte), relative to the layer's root, cleaned. */
export interface LayerPath {
  /** Without slashes at either end and without empty, `.` and `..` components; empty for the root itself. */
  readonly path: string;
  /** The path of the directory that holds it; empty for the root. */
  readonly parent: string;
  /** The last component; empty for the root itself. */
  readonly base: string;
}

/** The error for a member that must not be unpacked. */
export function refusal(name: Buffer, reason: string): TsengineError {
  return new TsengineError('InvalidParameter', `invalid layer: "${printableMember(name)}": ${reason}`);
}

/** The error for a system call that failed on a member; the call's own error is its cause. */
export function unpackError(name: Buffer, error: SyscallError): TsengineError {
  const message = `cannot unpack "${printableMember(name)}": ${error.reason} (${error.syscall})`;
  return new TsengineError('System', message, { cause: error });
}

/** Bytes of a path in a latin1 string. */
export function latin1(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

const ODD = /(^|\/)(\.{0,2})(\/|$)/;

/**
 * Cleans a name or a hard link's target as `path.Clean` of Go does, and refuses what leads out of the layer or cannot
 * be a path. A leading slash means the layer's root. `..` that would climb above the root is refused, with a slash
 * before it or without.
 */
export function cleanPath(member: Buffer, name: Buffer, what = 'it'): LayerPath {
  if (name.includes(0)) throw refusal(member, `${what === 'it' ? 'its name' : what} contains a NUL byte`);
  let path = name.toString('latin1');
  if (ODD.test(path)) path = withoutOddParts(member, path, what);
  if (path.length > LIMITS.path) throw refusal(member, `${what} is longer than ${LIMITS.path} bytes`);
  const slash = path.lastIndexOf('/');
  checkComponents(member, path, what);
  return { path, parent: slash < 0 ? '' : path.slice(0, slash), base: path.slice(slash + 1) };
}

function withoutOddParts(member: Buffer, path: string, what: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw refusal(member, `${what} is outside of the layer`);
  }
  return parts.join('/');
}

function checkComponents(member: Buffer, path: string, what: string): void {
  if (path.length <= LIMITS.nameComponent) return;
  for (const part of path.split('/')) {
    if (part.length > LIMITS.nameComponent) {
      throw refusal(member, `a component of ${what} is longer than ${LIMITS.nameComponent} bytes`);
    }
  }
}
