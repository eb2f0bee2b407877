/** Reading trees below an open directory, so that neither long paths nor renamed folders lead astray. */
import { type FileStat, S_IFDIR, S_IFMT } from '../linux/stat.ts';

/** A path by which calls that know no directory descriptor (the xattr family) reach a name below one. */
export function viaFd(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

/** A path within a layer: `/` and the names, in bytes. */
export function childPath(parent: Buffer, name: Buffer): Buffer {
  return Buffer.concat([parent, Buffer.from('/'), name]);
}

/** Whether the file is a directory. */
export function isDirectoryStat(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}
