/** Files that commands write (`save -o`, `export -o`): under their name when they are whole, and until then under none. */
import { dirname } from 'node:path';
import { hasErrno } from '../errors.ts';
import { linkOpenFile } from '../linux/at.ts';
import { closeFile, openFile, removeFile, renameFile, writeAll } from '../linux/files.ts';
import { tryOpenUnnamed } from '../linux/unnamed-file.ts';
import { cleanUpOnSignals } from './signals.ts';

/**
 * Writes a stream to a file, which takes the place of what is there when all is written. However the command ends before
 * that, nothing is left: the file has no name yet, and goes with the process. Where the file system has no such files it is
 * one with another name, which only SIGKILL leaves behind.
 */
export async function writeOutputFile(data: AsyncIterable<Buffer>, output: string): Promise<void> {
  const fd = tryOpenUnnamed(dirname(output));
  if (fd === undefined) return await writeNamed(data, output);
  try {
    await writeChunks(fd, data, output);
    giveName(fd, output);
  } finally {
    closeFile(fd);
  }
}

function temporaryFor(output: string): string {
  return `${output}.tmp-${process.pid}`;
}

async function writeChunks(fd: number, data: AsyncIterable<Buffer>, output: string): Promise<void> {
  for await (const chunk of data) writeAll(fd, chunk, null, output);
}

/** Gives an unnamed file its name. Only what replaces another file needs a second one, between two calls. */
function giveName(fd: number, output: string): void {
  try {
    linkOpenFile(fd, output);
    return;
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  const temporary = temporaryFor(output);
  linkOpenFile(fd, temporary);
  renameOrRemove(temporary, output);
}

function renameOrRemove(temporary: string, output: string): void {
  try {
    renameFile(temporary, output);
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
}

async function writeNamed(data: AsyncIterable<Buffer>, output: string): Promise<void> {
  const temporary = temporaryFor(output);
  using _ = cleanUpOnSignals(() => removeFile(temporary));
  const fd = openFile(temporary, 'wx');
  try {
    await writeChunks(fd, data, output).finally(() => closeFile(fd));
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
  renameOrRemove(temporary, output);
}
