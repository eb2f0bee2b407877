import { closeFile, openFile, removeFile, writeAll } from '../linux/files.ts';
import { TarReader } from './reader.ts';
import { TarSplitWriter } from './tar-split.ts';

/**
 * Passes an archive through and writes its tar-split, gzipped, to `path` (made or replaced, mode 0644) on the way. The
 * file is complete when the stream is at its end, and gone when it ended in any other way. Errors are the source's, or
 * those of reading the archive.
 *
 * It reads the archive for itself, although the unpacking does as well: parsing costs a hundredth of what the checksum
 * over all contents does, and this way the two run on different threads.
 */
export async function* recordTarSplit(source: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  const file = openFile(path, 'w', 0o644);
  let complete = false;
  try {
    const split = new TarSplitWriter((gzip) => writeAll(file, gzip));
    const reader = new TarReader(split, { rawBytes: true });
    for await (const chunk of source) {
      // Handed on first, so that the other thread has something to do meanwhile.
      yield chunk;
      reader.write(chunk);
    }
    reader.end();
    split.finish();
    complete = true;
  } finally {
    closeFile(file);
    if (!complete) removeFile(path);
  }
}
