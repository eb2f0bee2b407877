import { TarReader } from './reader.ts';
import { Unpacker, type UnpackerOptions, type UnpackResult } from './unpack-sink.ts';

/**
 * Unpacks one layer on this thread. `feed` hands all of the uncompressed tar to `write`, or throws. Whatever happens,
 * everything that was opened is closed again, and the error that comes out is the first one.
 */
export function unpackOnThisThread(
  target: string,
  options: UnpackerOptions,
  feed: (write: (chunk: Buffer) => void) => void,
): UnpackResult {
  const unpacker = new Unpacker(target, options);
  let result: UnpackResult;
  try {
    const reader = new TarReader(unpacker);
    feed((chunk) => reader.write(chunk));
    reader.end();
    result = unpacker.finish();
  } catch (error) {
    try {
      unpacker.close();
    } catch {
      // The first error says more.
    }
    throw error;
  }
  unpacker.close();
  return result;
}
