/**
 * Which pictures beside a report are charts of ours. Each says so itself, and by which name it was made: what an earlier report left
 * goes when a new one is written, and a copy under another name, or a picture from elsewhere, stays.
 */
import { lstatSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { hasErrno } from '../../../src/errors.ts';
import {
  closeFile,
  listDirectory,
  openFile,
  readInto,
  removeDirectory,
  removeFile,
} from '../../../src/linux/files.ts';

/** Where in the folder of a report charts lie. */
export const CHART_FOLDER = 'charts';

/** The signature of a PNG and its header, which is always of the same length; other parts may come behind it. */
const HEADER = 8 + 25;

/** The part of a PNG that says who made it, by a keyword of the standard. */
function markOf(name: string): Buffer {
  const body = Buffer.from(`tEXtSoftware\0tsengine bench: ${name}`, 'latin1');
  const mark = Buffer.alloc(4 + body.length + 4);
  mark.writeUInt32BE(body.length - 4, 0);
  body.copy(mark, 4);
  mark.writeUInt32BE(crc32(body), 4 + body.length);
  return mark;
}

/** The picture with what says that it is ours, and made by this name (ASCII). */
export function markChart(png: Buffer, name: string): Buffer {
  return Buffer.concat([png.subarray(0, HEADER), markOf(name), png.subarray(HEADER)]);
}

/** Removes the charts of ours in a folder that are not among `kept`, and the folder where nothing is left in it. */
export function removeOldCharts(folder: string, kept: ReadonlySet<string>): void {
  const old = listDirectory(folder).filter((name) => !kept.has(name) && isOurs(folder, name));
  for (const name of old) removeFile(`${folder}/${name}`);
  if (old.length === 0 || listDirectory(folder).length > 0) return;
  try {
    removeDirectory(folder);
  } catch (error) {
    // Somebody else put something there, or made it a mount point.
    if (!hasErrno(error, 'ENOTEMPTY', 'EBUSY', 'ENOTDIR', 'ENOENT')) throw error;
  }
}

function isOurs(folder: string, name: string): boolean {
  const path = `${folder}/${name}`;
  // No pipe, which would wait for a writer, and nothing through a link.
  if (!name.endsWith('.png') || !lstatSync(path).isFile()) return false;
  const mark = markOf(name);
  const found = Buffer.alloc(mark.length);
  const fd = openFile(path, 'r');
  try {
    return readInto(fd, found, 0, found.length, HEADER) === mark.length && found.equals(mark);
  } finally {
    closeFile(fd);
  }
}
