/**
 * Extended attributes, with bytes for names and values. None but `removexattr` follows a symbolic link. Source: xattr(7).
 */
import { ENODATA, EOPNOTSUPP, ERANGE, SyscallError } from './errno.ts';
import { type Argument, type Call, declare } from './libc.ts';
import { type BytePath, cString } from './path.ts';

const lgetCall = declare('lgetxattr', 'long', ['void *', 'void *', 'void *', 'size_t']);
const lsetCall = declare('lsetxattr', 'int', ['void *', 'void *', 'void *', 'size_t', 'int']);
const llistCall = declare('llistxattr', 'long', ['void *', 'void *', 'size_t']);
const lremoveCall = declare('lremovexattr', 'int', ['void *', 'void *']);
const removeCall = declare('removexattr', 'int', ['void *', 'void *']);
const fgetCall = declare('fgetxattr', 'long', ['int', 'void *', 'void *', 'size_t']);
const fsetCall = declare('fsetxattr', 'int', ['int', 'void *', 'void *', 'size_t', 'int']);
const flistCall = declare('flistxattr', 'long', ['int', 'void *', 'size_t']);

let scratch = Buffer.alloc(4096);

/**
 * Makes a call that fills a buffer, with a larger buffer as long as the kernel says `ERANGE`. Gives a copy of the bytes;
 * `undefined` when there is no such attribute, or the filesystem has none.
 */
function filled(call: Call, path: BytePath | undefined, ...args: Argument[]): Buffer | undefined {
  const subject = path === undefined ? undefined : { path };
  for (;;) {
    const length = call.attempt(subject, ...args, scratch, scratch.length);
    if (length >= 0) return Buffer.from(scratch.subarray(0, length));
    if (length === -ENODATA || length === -EOPNOTSUPP) return undefined;
    // XATTR_SIZE_MAX and XATTR_LIST_MAX are both 65 536.
    if (length !== -ERANGE || scratch.length >= 65_536)
      throw new SyscallError(call.syscall, -length, subject);
    scratch = Buffer.alloc(65_536);
  }
}

/** The value of an attribute; `undefined` when the file has none of that name or the filesystem has no attributes. */
export function lgetxattr(path: BytePath, name: BytePath): Buffer | undefined {
  return filled(lgetCall, path, cString(path), cString(name));
}

/** The value of an attribute of an open file; `undefined` when there is none. */
export function fgetxattr(fd: number, name: BytePath): Buffer | undefined {
  return filled(fgetCall, undefined, fd, cString(name));
}

const ACCESS_LIST = cString('system.posix_acl_access');

/** Whether the filesystem that a path is on has POSIX access control lists. Fails when there is no such path. */
export function hasAccessLists(path: BytePath): boolean {
  const length = lgetCall.attempt({ path }, cString(path), ACCESS_LIST, null, 0);
  if (length >= 0 || length === -ENODATA) return true;
  if (length === -EOPNOTSUPP) return false;
  throw new SyscallError(lgetCall.syscall, -length, { path });
}

/** Sets an attribute, made or replaced. */
export function lsetxattr(path: BytePath, name: BytePath, value: Buffer): void {
  set(lsetCall, path, cString(path), name, value);
}

/** Sets an attribute of an open file, made or replaced. */
export function fsetxattr(fd: number, name: BytePath, value: Buffer): void {
  set(fsetCall, undefined, fd, name, value);
}

function set(
  call: Call,
  path: BytePath | undefined,
  file: Buffer | number,
  name: BytePath,
  value: Buffer,
): void {
  call({ path }, file, cString(name), value.length === 0 ? null : value, value.length, 0);
}

/** Removes an attribute; one that is not there is no error. */
export function lremovexattr(path: BytePath, name: BytePath): void {
  remove(lremoveCall, path, name);
}

/** The same of what a path leads to: a symbolic link itself has no attributes of `user.*`. */
export function removexattr(path: BytePath, name: BytePath): void {
  remove(removeCall, path, name);
}

function remove(call: Call, path: BytePath, name: BytePath): void {
  try {
    call({ path }, cString(path), cString(name));
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'ENODATA')) throw error;
  }
}

function names(list: Buffer | undefined): Buffer[] {
  const out: Buffer[] = [];
  if (list === undefined) return out;
  for (let start = 0; start < list.length; ) {
    const end = list.indexOf(0, start);
    out.push(list.subarray(start, end));
    start = end + 1;
  }
  return out;
}

/** The names of all attributes, sorted by bytes; none where the filesystem has no attributes. */
export function llistxattr(path: BytePath): Buffer[] {
  return names(filled(llistCall, path, cString(path))).sort(Buffer.compare);
}

/** The names of all attributes of an open file, sorted by bytes. */
export function flistxattr(fd: number): Buffer[] {
  return names(filled(flistCall, undefined, fd)).sort(Buffer.compare);
}
