/**
 * Files of the image and reference stores, each replaced in one step. Unlike `writeFileAtomic` the temporary file is not
 * beside the target but in `layerdb/tmp/`, which every start lists anyway: so what a crash left is found and removed
 * without another look at every folder. All of it happens under the `images` lock: whoever holds that lock knows that
 * each such file is a dead process's.
 */
import { dirname } from 'node:path';
import { fsyncDirectory, listDirectory, removeFile, renameFile, writeNewFile } from '../linux/files.ts';

const PREFIX = 'tsengine.file-';
let sequence = 0;

/**
 * Writes `path`, mode 0600: the old content or the new, whatever happens, and durably unless `durable` is false.
 */
export function replaceFile(tmpDir: string, path: string, data: Buffer | string, durable = true): void {
  sequence += 1;
  const temporary = `${tmpDir}/${PREFIX}${process.pid}-${sequence}`;
  try {
    writeNewFile(temporary, data, { durable });
    renameFile(temporary, path);
  } catch (error) {
    removeIfPossible(temporary);
    throw error;
  }
  if (durable) fsyncDirectory(dirname(path));
}

/** After a failure the first error is the one that counts; the next start removes the file otherwise. */
function removeIfPossible(path: string): void {
  try {
    removeFile(path);
  } catch {
    // Left for the next start.
  }
}

/** Whether a dead process, or a living one that holds the lock, has left such files. */
export function anyTemporaryFile(tmpDir: string): boolean {
  return listDirectory(tmpDir).some((name) => name.startsWith(PREFIX));
}

/** Removes what dead processes left. Called under the `images` lock. */
export function removeTemporaryFiles(tmpDir: string): void {
  for (const name of listDirectory(tmpDir)) {
    if (name.startsWith(PREFIX)) removeFile(`${tmpDir}/${name}`);
  }
}
