/** A tree as text: one line for each file, with everything that a layer keeps. Two trees are the same when these are. */
import { createHash } from 'node:crypto';
import { isLayerXattr } from '../../archive/whiteouts.ts';
import { closeFd, O_NOFOLLOW, O_RDONLY, openAt, readlinkAt } from '../../linux/at.ts';
import { namesIn } from '../../linux/directory-names.ts';
import { readInto } from '../../linux/files.ts';
import { withDirectory, withRoot } from '../../linux/open-directory.ts';
import { printablePath } from '../../linux/path.ts';
import { seekData, seekHole } from '../../linux/space.ts';
import {
  type FileStat,
  lstatIfAny,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../../linux/stat.ts';
import { lgetxattr, llistxattr } from '../../linux/xattr.ts';
import { childPath, isDirectoryStat, viaFd } from '../directory.ts';

/** What is left out of a description. */
export interface DescribeOptions {
  /** Times of directories, which change with what is made in them. Left out when not given. */
  readonly directoryTimes?: boolean;
  /** Times of everything else. Kept when not given. */
  readonly times?: boolean;
  /** Times of symbolic links, where times are kept. Kept when not given. */
  readonly linkTimes?: boolean;
  /** What is less than a second of times. Left out when true. */
  readonly wholeSeconds?: boolean;
  /** Which names are one file. Kept when not given. */
  readonly links?: boolean;
  /** Where sparse files have data. Left out when not given: filesystems differ in what they tell. */
  readonly holes?: boolean;
}

/** One line for each file below `root`, sorted by path: path, type, mode, owner, and all else that `options` leave in. */
export function describeTree(root: string, options: DescribeOptions = {}): string[] {
  const lines: string[] = [];
  const firstNames = new Map<bigint, string>();
  const walk = (fd: number, at: Buffer): void => {
    for (const name of namesIn(fd).sort(Buffer.compare)) {
      const stat = lstatIfAny(fd, name);
      if (stat === undefined) continue;
      const path = childPath(at, name);
      lines.push(`${printablePath(path)} ${describe(fd, name, stat, options)}${link(path, stat)}`);
      if (isDirectoryStat(stat)) withDirectory(fd, name, (child) => walk(child, path));
    }
  };
  const link = (path: Buffer, stat: FileStat): string => {
    if (options.links === false || stat.nlink < 2 || isDirectoryStat(stat)) return '';
    const first = firstNames.get(stat.ino);
    if (first === undefined) firstNames.set(stat.ino, printablePath(path));
    return first === undefined ? '' : ` same as ${first}`;
  };
  withRoot(root, (fd) => walk(fd, Buffer.alloc(0)));
  return lines.sort();
}

function describe(fd: number, name: Buffer, stat: FileStat, options: DescribeOptions): string {
  const parts = [
    (stat.mode & S_IFMT).toString(8),
    (stat.mode & 0o7777).toString(8),
    `${stat.uid}:${stat.gid}`,
  ];
  const directory = isDirectoryStat(stat);
  const isLink = (stat.mode & S_IFMT) === S_IFLNK;
  const withTime = options.times !== false && !(isLink && options.linkTimes === false);
  if (directory ? options.directoryTimes === true : withTime) {
    const nanoseconds = options.wholeSeconds === true ? 0 : stat.mtime.nsec;
    parts.push(`${stat.mtime.sec}.${String(nanoseconds).padStart(9, '0')}`);
  }
  switch (stat.mode & S_IFMT) {
    case S_IFREG:
      parts.push(`${stat.size} bytes`, content(fd, name, options.holes === true));
      break;
    case S_IFLNK:
      parts.push(`-> ${printablePath(readlinkAt(fd, name))}`);
      break;
    case S_IFCHR:
    case S_IFBLK:
      parts.push(`${stat.rdevMajor}/${stat.rdevMinor}`);
      break;
    case S_IFIFO:
      break;
  }
  return [...parts, ...attributes(viaFd(fd, name))].join(' ');
}

function attributes(path: Buffer): string[] {
  return llistxattr(path)
    .filter((name) => isLayerXattr(name.toString('latin1')))
    .map((name) => `${printablePath(name)}=${lgetxattr(path, name)?.toString('hex') ?? ''}`);
}

function content(fd: number, name: Buffer, holes: boolean): string {
  const file = openAt(fd, name, O_RDONLY | O_NOFOLLOW);
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(65_536);
    for (let position = 0; ; ) {
      const length = readInto(file, buffer, 0, buffer.length, position);
      if (length === 0) break;
      hash.update(buffer.subarray(0, length));
      position += length;
    }
    const digest = hash.digest('hex').slice(0, 16);
    return holes ? `${digest} data at ${dataRuns(file)}` : digest;
  } finally {
    closeFd(file);
  }
}

function dataRuns(file: number): string {
  const runs: string[] = [];
  for (let at = seekData(file, 0); at !== undefined; ) {
    const end = seekHole(file, at) ?? at;
    runs.push(`${at}-${end}`);
    at = end > at ? seekData(file, end) : undefined;
  }
  return runs.join(',');
}
