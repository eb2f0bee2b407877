import { TsengineError } from '../errors.ts';
import {
  closeFd,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openAt2,
  openUnmarked,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../linux/at.ts';
import { namesIn } from '../linux/directory-names.ts';
import { SyscallError } from '../linux/errno.ts';
import { AT_FDCWD, type FileStat, lstatAt, S_IFDIR, S_IFMT } from '../linux/stat.ts';
import { printableMember } from './fail.ts';
import { LIMITS } from './types.ts';

/** Directories that are held open, one inside the other; those above are opened anew when the walk comes back to them. */
const MAX_OPEN = 32;

/** A file that a walk came to. */
export interface WalkEntry {
  /** Relative to the root, without a slash at either end. */
  readonly path: Buffer;
  readonly name: Buffer;
  /** The directory that holds it; open until the walk goes on. */
  readonly dirfd: number;
  readonly stat: FileStat;
}

/** A directory on the way to where the walk is. */
interface Level {
  readonly path: Buffer;
  readonly names: readonly Buffer[];
  next: number;
  fd: number | undefined;
}

/** Whether a call failed because the file went away, or became something else, since its name was read. */
export function isGone(error: unknown): boolean {
  return error instanceof SyscallError && ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(error.code);
}

/** Opens a path below an open directory; no symbolic link is followed anywhere in it. */
export function openBeneath(rootFd: number, path: Buffer, flags: number): number {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return openAt2(rootFd, path.length === 0 ? '.' : path, flags, resolve);
}

/**
 * The order of a walk: path components compare by their bytes, one after another, so that what is in a directory
 * comes right after it (`a`, `a/b`, `a-b`).
 */
export function comparePaths(left: Buffer, right: Buffer): number {
  const shorter = Math.min(left.length, right.length);
  for (let i = 0; i < shorter; i++) {
    const a = left[i] ?? 0;
    const b = right[i] ?? 0;
    if (a !== b) return (a === 0x2f ? 0 : a) - (b === 0x2f ? 0 : b);
  }
  return left.length - right.length;
}

/**
 * All files below a directory, in the order of `comparePaths`; the root itself is not among them. Symbolic links are
 * not followed, not even those that somebody puts where a directory was; what goes away meanwhile is left out. A path
 * that is longer than PATH_MAX, which a container can make by going down step by step, is an error that names it.
 * Memory: the names of the directories from the root to where the walk is.
 *
 * What `accept` says no to is left out, with all that is below it.
 */
export function* walkTree(
  root: string | Buffer,
  accept: (file: WalkEntry) => boolean = () => true,
): Generator<WalkEntry, void, undefined> {
  const rootFd = openUnmarked(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
  const levels: Level[] = [];
  try {
    levels.push(openLevel(rootFd, Buffer.alloc(0), undefined));
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.names[level.next++];
      const dirfd = name === undefined ? undefined : reopened(rootFd, level);
      if (name === undefined || dirfd === undefined) {
        closeLevel(levels.pop());
        continue;
      }
      const stat = lstatUnlessGone(dirfd, name);
      if (stat === undefined) continue;
      const path = level.path.length === 0 ? name : Buffer.concat([level.path, SLASH, name]);
      if (path.length > LIMITS.path) throw tooLong(path);
      const file = { path, name, dirfd, stat };
      if (!accept(file)) continue;
      yield file;
      if ((stat.mode & S_IFMT) !== S_IFDIR) continue;
      const inner = descend(dirfd, path, name);
      if (inner !== undefined) levels.push(inner);
      if (levels.length > MAX_OPEN) closeLevel(levels[levels.length - 1 - MAX_OPEN]);
    }
  } finally {
    for (const level of levels) closeLevel(level);
    closeFd(rootFd);
  }
}

const SLASH = Buffer.from('/');

function tooLong(path: Buffer): TsengineError {
  const limit = `its path is longer than ${LIMITS.path} bytes`;
  return new TsengineError(
    'InvalidParameter',
    `"${printableMember(path)}" cannot be part of a layer: ${limit}`,
  );
}

function openLevel(dirfd: number, path: Buffer, name: Buffer | undefined): Level {
  const fd = openUnmarked(dirfd, name ?? '.', O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const names = namesIn(fd).sort(Buffer.compare);
    return { path, names, next: 0, fd };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function descend(dirfd: number, path: Buffer, name: Buffer): Level | undefined {
  try {
    return openLevel(dirfd, path, name);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function reopened(rootFd: number, level: Level): number | undefined {
  try {
    level.fd ??= openBeneath(rootFd, level.path, O_RDONLY | O_DIRECTORY);
    return level.fd;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function closeLevel(level: Level | undefined): void {
  if (level?.fd === undefined) return;
  closeFd(level.fd);
  level.fd = undefined;
}

/** The status of a name, `undefined` when it went away. */
export function lstatUnlessGone(dirfd: number, name: Buffer): FileStat | undefined {
  try {
    return lstatAt(dirfd, name);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
