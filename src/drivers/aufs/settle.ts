/**
 * Making a branch what the union over it showed, when a FUSE program has written it: names of one file that its copy-up parted
 * are joined again, and the program's own extended attributes are removed. Done twice it is as good as once, and a kill
 * in between leaves a branch that can be settled again.
 */
import { LowerLayers } from '../../archive/lower-layers.ts';
import { aufsMarks, whiteoutAt } from '../../archive/union-marks.ts';
import { isOverlayXattr, WHITEOUT_OPAQUE } from '../../archive/whiteouts.ts';
import {
  chmodAt,
  closeFd,
  lchownAt,
  linkAt,
  mkdirAt,
  O_CREAT,
  O_NOFOLLOW,
  O_WRONLY,
  openAt,
  renameAt2,
  utimensAt,
} from '../../linux/at.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { pathExists, removeDirectory } from '../../linux/files.ts';
import { withDirectory, withRoot } from '../../linux/open-directory.ts';
import { AT_FDCWD, type FileStat, lstatAt, lstatIfAny, S_IFMT, S_IFREG } from '../../linux/stat.ts';
import { lgetxattr, llistxattr, lremovexattr, lsetxattr } from '../../linux/xattr.ts';
import { childPath, isDirectoryStat, viaFd } from '../directory.ts';
import type { Side } from '../same-file.ts';
import { isMarkName } from './marks.ts';

/** Where fuse-overlayfs notes the path, in a lower layer, of the file that it copied up; a NUL byte ends it. */
const ORIGIN = 'user.fuseoverlayfs.origin';
/** What marks an opaque directory beside AUFS's file. */
const OPAQUE = 'trusted.overlay.opaque';

/** A file of the branch, and what the union shows as one more name of it. */
interface Parted {
  /** Paths within the layer. */
  readonly path: Buffer;
  readonly other: Buffer;
}

/** Whether the union shows names of a file of the branch that the branch does not have. */
export function parted(branch: string, lowers: readonly string[]): boolean {
  using lower = new LowerLayers(lowers, aufsMarks);
  return withRoot(branch, (fd) => partedNames(fd, lower).length > 0);
}

/** Settles a branch that nothing is mounted on. `work` is a folder of its own on the same filesystem. */
export function settleBranch(branch: string, lowers: readonly string[], work: string): void {
  using lower = new LowerLayers(lowers, aufsMarks);
  withRoot(branch, (fd) => {
    for (const { path, other } of partedNames(fd, lower)) join({ fd, work }, path, other, lower);
    eachFile(fd, Buffer.alloc(0), (dirfd, name) => strip(dirfd, name));
    strip(fd, Buffer.from('.'));
  });
}

/** Everything in a tree but marks. */
function eachFile(
  fd: number,
  at: Buffer,
  visit: (dirfd: number, name: Buffer, path: Buffer, stat: FileStat) => void,
): void {
  for (const name of namesIn(fd)) {
    const stat = isMarkName(name) ? undefined : lstatIfAny(fd, name);
    if (stat === undefined) continue;
    const path = childPath(at, name);
    visit(fd, name, path, stat);
    if (isDirectoryStat(stat)) withDirectory(fd, name, (child) => eachFile(child, path, visit));
  }
}

function strip(dirfd: number, name: Buffer): void {
  const path = viaFd(dirfd, name);
  for (const attribute of llistxattr(path)) {
    const key = attribute.toString('latin1');
    if (!isOverlayXattr(key)) continue;
    if (key === OPAQUE) withDirectory(dirfd, name, markOpaque);
    lremovexattr(path, attribute);
  }
}

/** As AUFS does; the program has done so as well, unless it was killed in between. */
function markOpaque(fd: number): void {
  closeFd(openAt(fd, WHITEOUT_OPAQUE, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o444));
}

function untilNul(text: Buffer): Buffer {
  const end = text.indexOf(0);
  return end < 0 ? text : text.subarray(0, end);
}

function identity({ devMajor, devMinor, ino }: FileStat): string {
  return `${devMajor}:${devMinor}:${ino}`;
}

function partedNames(branchFd: number, lower: LowerLayers): Parted[] {
  const copies = new Map<string, { readonly path: Buffer; readonly root: number }>();
  eachFile(branchFd, Buffer.alloc(0), (dirfd, name, path, stat) => {
    if ((stat.mode & S_IFMT) !== S_IFREG) return;
    const origin = lgetxattr(viaFd(dirfd, name), ORIGIN);
    const side = origin && lower.lookup(Buffer.concat([Buffer.from('/'), untilNul(origin)]))?.side;
    if (side && side.stat.nlink > 1 && !isDirectoryStat(side.stat)) {
      copies.set(identity(side.stat), { path, root: side.fd });
    }
  });
  const found: Parted[] = [];
  for (const root of new Set([...copies.values()].map((copy) => copy.root))) {
    withDirectory(root, '.', (fd) =>
      eachFile(fd, Buffer.alloc(0), (_dirfd, _name, other, stat) => {
        const path = stat.nlink > 1 && !isDirectoryStat(stat) ? copies.get(identity(stat))?.path : undefined;
        if (path !== undefined && shows(branchFd, lower, other, stat)) found.push({ path, other });
      }),
    );
  }
  return found;
}

/** Whether the union shows, under a path, this file of a lower layer: no branch above hides or replaces it. */
function shows(branchFd: number, lower: LowerLayers, path: Buffer, stat: FileStat): boolean {
  const relative = path.subarray(1);
  for (let slash = 0; slash >= 0; ) {
    slash = relative.indexOf('/', slash + 1);
    const part = slash < 0 ? relative : relative.subarray(0, slash);
    if (whiteoutAt(branchFd, part) !== undefined) return false;
    const own = lstatIfAny(branchFd, part);
    if (own === undefined) break;
    if (slash < 0 || !isDirectoryStat(own) || aufsMarks.isOpaque(viaFd(branchFd, part))) return false;
  }
  const seen = lower.lookup(path)?.side.stat;
  return seen !== undefined && identity(seen) === identity(stat);
}

/** A branch, open, and where directories for it are made. */
interface Branch {
  readonly fd: number;
  readonly work: string;
}

/** Makes a name of the branch's file, in directories as the lower layers have them, and changes no times. */
function join(branch: Branch, path: Buffer, other: Buffer, lower: LowerLayers): void {
  const branchFd = branch.fd;
  const relative = other.subarray(1);
  for (let slash = relative.indexOf('/'); slash >= 0; slash = relative.indexOf('/', slash + 1)) {
    const part = relative.subarray(0, slash);
    if (lstatIfAny(branchFd, part) !== undefined) continue;
    const like = lower.lookup(childPath(Buffer.alloc(0), part))?.side;
    if (like !== undefined) keepingTimes(branchFd, parentOf(part), () => makeLike(branch, part, like));
  }
  keepingTimes(branchFd, parentOf(relative), () => linkAt(branchFd, path.subarray(1), branchFd, relative));
}

function parentOf(path: Buffer): Buffer {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? Buffer.from('.') : path.subarray(0, slash);
}

function keepingTimes(dirfd: number, folder: Buffer, run: () => void): void {
  const { mtime } = lstatAt(dirfd, folder);
  run();
  utimensAt(dirfd, folder, 'omit', mtime);
}

/** Makes a directory with all that it has, and only then brings it to its place: a kill leaves none that is half made. */
function makeLike({ fd, work }: Branch, path: Buffer, like: Side): void {
  const made = `${work}/settled`;
  if (pathExists(made)) removeDirectory(made);
  mkdirAt(AT_FDCWD, made, 0o700);
  lchownAt(AT_FDCWD, made, like.stat.uid, like.stat.gid);
  chmodAt(AT_FDCWD, made, like.stat.mode & 0o7777);
  const from = viaFd(like.fd, like.name);
  for (const attribute of llistxattr(from)) {
    const value = isOverlayXattr(attribute.toString('latin1')) ? undefined : lgetxattr(from, attribute);
    if (value !== undefined) lsetxattr(made, attribute, value);
  }
  utimensAt(AT_FDCWD, made, 'omit', like.stat.mtime);
  renameAt2(AT_FDCWD, made, fd, path);
}
