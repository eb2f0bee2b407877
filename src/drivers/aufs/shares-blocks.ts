import { closeFile, writeAll } from '../../linux/files.ts';
import { ficlone } from '../../linux/space.ts';
import { openUnnamed } from '../../linux/unnamed-file.ts';

/** Whether files in `folder` can share blocks (reflinks, as on xfs): tried with two files that have no name. */
export function sharesBlocks(folder: string): boolean {
  const fds: number[] = [];
  try {
    const from = openUnnamed(folder);
    fds.push(from);
    const to = openUnnamed(folder);
    fds.push(to);
    writeAll(from, Buffer.alloc(4096, 1));
    ficlone(from, to);
    return true;
  } catch {
    return false;
  } finally {
    fds.forEach(closeFile);
  }
}
