/** Files that have no name yet, or never get one: the kernel removes them with the process, however that ends. */
import { hasErrno } from '../errors.ts';
import { O_RDWR, O_TMPFILE } from './at.ts';
import { closeFile, openFile, removeFile } from './files.ts';

/** A new file without a name in a folder, for reading and writing; `undefined` where the file system has no such files. */
export function tryOpenUnnamed(folder: string, mode = 0o600): number | undefined {
  try {
    return openFile(folder, O_RDWR | O_TMPFILE, mode);
  } catch (error) {
    // EISDIR is the answer of file systems and kernels that do not know the flag, and see a folder opened for writing.
    if (hasErrno(error, 'EOPNOTSUPP', 'EISDIR')) return undefined;
    throw error;
  }
}

/** A new file in a folder, for reading and writing, that nobody else ever sees. */
export function openUnnamed(folder: string): number {
  const unnamed = tryOpenUnnamed(folder);
  if (unnamed !== undefined) return unnamed;
  const path = `${folder}/.tsengine-${process.pid}-${Date.now()}`;
  const fd = openFile(path, 'wx+');
  try {
    removeFile(path);
    return fd;
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}
