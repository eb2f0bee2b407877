/** Block devices: those that somebody named, and the nodes of those that the kernel numbers. */
import { readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { closeFile, openFile } from '../../linux/files.ts';
import { fstat } from '../../linux/stat.ts';
import { fails, type Part } from './pool-errors.ts';

/** The node of a block device by its numbers, `7:0`. */
export function nodeOfNumber(number: string): string {
  return nodeOfSysfs(readlinkSync(`/sys/dev/block/${number}`));
}

/** The node of a block device by its folder in sysfs, where a slash of its name is `!`. */
export function nodeOfSysfs(folder: string): string {
  return `/dev/${basename(folder).replaceAll('!', '/')}`;
}

/** A block device that was named. Fails where it is none. */
export function blockPart(path: string): Part {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw fails(`there is no ${path}: name a block device that is there`);
  if (!found.isBlockDevice()) throw fails(`${path} is no block device: name one`);
  const fd = openFile(path, 'r');
  try {
    const { rdevMajor, rdevMinor } = fstat(fd);
    return { path, node: path, number: `${rdevMajor}:${rdevMinor}` };
  } finally {
    closeFile(fd);
  }
}
