import { readFileSync } from 'node:fs';
import { declare } from './libc.ts';
import { type BytePath, cString } from './path.ts';

/** unshare(2) flags. Source: `linux/sched.h`. */
export const CLONE_FS = 0x200;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWNET = 0x40000000;

const unshareCall = declare('unshare', 'int', ['int']);
const chdirCall = declare('chdir', 'int', ['void *']);
const fchdirCall = declare('fchdir', 'int', ['int']);
const umaskCall = declare('umask', 'uint', ['uint']);

/** Gives the calling thread its own copy of what the flags name. */
export function unshare(flags: number): void {
  unshareCall(undefined, flags);
}

/** Changes the working directory of the calling thread; of the whole process unless the thread did `unshare(CLONE_FS)`. */
export function chdir(path: BytePath): void {
  chdirCall({ path }, cString(path));
}

/** `chdir` to an open directory. */
export function fchdir(fd: number): void {
  fchdirCall(undefined, fd);
}

/** Sets the file mode mask of the calling thread (of the process, like `chdir`) and gives the old one. */
export function umask(mask: number): number {
  return umaskCall(undefined, mask);
}

/** Whether this process is in a user namespace other than the machine's own, where the kernel grants less. */
export function inUserNamespace(): boolean {
  return readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/).join(' ') !== '0 0 4294967295';
}
