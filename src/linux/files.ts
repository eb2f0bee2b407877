/**
 * Plain files by path, synchronous: what stores of metadata are made of. Each function announces itself to
 * `fault.ts`, and turns Node's errors into `SyscallError`s.
 */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from '../errors.ts';
import { SyscallError, type SyscallSubject } from './errno.ts';
import { enter } from './fault.ts';
import type { BytePath } from './path.ts';

function call<T>(name: string, subject: SyscallSubject, run: () => T): T {
  enter(name, subject);
  try {
    return run();
  } catch (error) {
    throw asSyscallError(name, subject, error);
  }
}

/**
 * A failure of Node's as one of ours; anything else as it is. By number, because libuv has no name for some of the
 * kernel's: EDQUOT, the answer of a disk that is full for us alone, is `UNKNOWN` to it.
 */
function asSyscallError(name: string, subject: SyscallSubject, error: unknown): unknown {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return error;
  return error.errno < 0 ? new SyscallError(name, -error.errno, subject, error) : error;
}

/** Opens a file; `flags` as in Node's `fs.openSync` (`'r'`, `'wx'`…) or numeric. */
export function openFile(path: BytePath, flags: string | number, mode = 0o600): number {
  return call('open', { path }, () => fs.openSync(path, flags, mode));
}

/** Closes a descriptor that `openFile` gave. */
export function closeFile(fd: number): void {
  call('close', {}, () => fs.closeSync(fd));
}

/** Reads up to `length` bytes at `position` (at the file's own position when it is null); 0 at the end. */
export function readInto(
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number | null,
): number {
  return call('read', {}, () => fs.readSync(fd, buffer, offset, length, position));
}

/** Writes all of `data`, however often the kernel takes less than it was given. `path` is what an error names. */
export function writeAll(fd: number, data: Buffer, position: number | null = null, path?: BytePath): void {
  for (let done = 0; done < data.length; ) {
    const at = done;
    done += call('write', { path }, () =>
      fs.writeSync(fd, data, at, data.length - at, position === null ? null : position + at),
    );
  }
}

/** Writes a file's data and metadata to disk. `path` is what an error names. */
export function fsync(fd: number, path?: BytePath): void {
  call('fsync', { path }, () => fs.fsyncSync(fd));
}

/** Writes a directory's entries to disk: after this a rename in it survives a power cut. */
export function fsyncDirectory(path: BytePath): void {
  const fd = openFile(path, 'r');
  try {
    call('fsync', { path }, () => fs.fsyncSync(fd));
  } finally {
    fs.closeSync(fd);
  }
}

/** The whole file. */
export function readFile(path: BytePath): Buffer {
  return call('read', { path }, () => fs.readFileSync(path));
}

/** The whole file as UTF-8 text. */
export function readText(path: BytePath): string {
  return call('read', { path }, () => fs.readFileSync(path, 'utf8'));
}

/** The whole file as UTF-8 text, `undefined` when it does not exist. */
export function readTextIfAny(path: BytePath): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** How a file is written. */
export interface WriteOptions {
  /** Permission bits of a new file; 0600 when not given. The umask applies. */
  readonly mode?: number;
  /** Whether the file must survive a power cut from the moment the call returns. Default true. */
  readonly durable?: boolean;
}

/** How a file is replaced. */
export interface ReplaceOptions extends WriteOptions {
  /**
   * Whether nobody else replaces this file meanwhile, because the caller holds a lock. The temporary name is then always the
   * same, and what a crash left of it is replaced by the next attempt.
   */
  readonly alone?: boolean;
}

/** The temporary name of a file that is replaced under a lock. */
export function temporaryName(path: string): string {
  const slash = path.lastIndexOf('/');
  return `${path.slice(0, slash + 1)}.tmp-${path.slice(slash + 1)}`;
}

let sequence = 0;

/**
 * Replaces a file in one step: temporary name beside it, fsync, rename, fsync of the directory. A crash leaves the
 * old file or the new one, and perhaps a name that starts with `.tmp-`, which nobody reads.
 */
export function writeFileAtomic(path: string, data: Buffer | string, options: ReplaceOptions = {}): void {
  const { mode = 0o600, durable = true, alone = false } = options;
  const slash = path.lastIndexOf('/');
  const temporary = temporaryName(path) + (alone ? '' : `-${process.pid}-${sequence++}`);
  try {
    const fd = openFile(temporary, alone ? 'w' : 'wx', mode);
    try {
      writeAll(fd, typeof data === 'string' ? Buffer.from(data) : data, null, path);
      if (durable) fsync(fd, path);
    } finally {
      fs.closeSync(fd);
    }
    renameFile(temporary, path);
  } catch (error) {
    try {
      removeFile(temporary);
    } catch {
      // As after a crash. What failed first is what is told.
    }
    throw error;
  }
  if (durable) fsyncDirectory(slash <= 0 ? '/' : path.slice(0, slash));
}

/** Writes a new file that nothing refers to yet; for files inside a directory that is renamed into place as a whole. */
export function writeNewFile(path: BytePath, data: Buffer | string, options: WriteOptions = {}): void {
  const fd = openFile(path, 'wx', options.mode ?? 0o600);
  try {
    writeAll(fd, typeof data === 'string' ? Buffer.from(data) : data, null, path);
    if (options.durable ?? true) fsync(fd, path);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes a directory. */
export function makeDirectory(path: BytePath, mode = 0o755): void {
  call('mkdir', { path }, () => fs.mkdirSync(path, { mode }));
}

/** Makes a directory with all its parents; one that is there is left as it is. */
export function makeDirectories(path: string, mode = 0o755): void {
  call('mkdir', { path }, () => makeWithParents(path, mode));
}

/**
 * Not Node's own way to do it (`recursive`): that calls every error above the last name ENOENT, a read-only filesystem for
 * one, and never ends below /proc.
 */
function makeWithParents(path: string, mode: number): void {
  try {
    fs.mkdirSync(path, { mode });
  } catch (error) {
    const above = dirname(path);
    if (hasErrno(error, 'ENOENT') && above !== path && !fs.existsSync(above)) {
      makeWithParents(above, mode);
      makeWithParents(path, mode);
      return;
    }
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

/** Renames, replacing what the new name was. */
export function renameFile(from: BytePath, to: BytePath): void {
  call('rename', { path: from, dest: to }, () => fs.renameSync(from, to));
}

/** Removes a file; one that is not there is no error. */
export function removeFile(path: BytePath): void {
  try {
    call('unlink', { path }, () => fs.unlinkSync(path));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

/** Removes an empty directory. */
export function removeDirectory(path: BytePath): void {
  call('rmdir', { path }, () => fs.rmdirSync(path));
}

/** Makes a symbolic link. */
export function makeSymlink(target: BytePath, path: BytePath): void {
  call('symlink', { path: target, dest: path }, () => fs.symlinkSync(target, path));
}

/** The names in a directory, in no order; `[]` when it does not exist. Names must be UTF-8: for stores, not for layers. */
export function listDirectory(path: BytePath): string[] {
  try {
    return call('readdir', { path }, () => fs.readdirSync(path, 'utf8'));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Whether the name exists; a symbolic link that leads nowhere does. */
export function pathExists(path: BytePath): boolean {
  try {
    call('lstat', { path }, () => fs.lstatSync(path));
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
