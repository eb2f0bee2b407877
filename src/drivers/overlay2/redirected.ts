/**
 * Packing an upper directory without looking through all of it first. Marks of `redirect_dir` and `metacopy`, which only
 * the kernel follows, are found by the packing as it comes to them; a small layer is packed whole before its first byte
 * is given out, and can still be packed in another way then. Only a large one is looked through before.
 */
import { TsengineError } from '../../errors.ts';

/** Bytes of an archive that are held back. */
const HELD_BACK = 4 * 1024 * 1024;

/**
 * The archive `packed`, or what `instead` gives when the layer has such marks: the packing fails with `Unavailable`
 * where it comes to one, and `isMarked` looks for them.
 */
export async function* unlessRedirected(
  packed: AsyncGenerator<Buffer>,
  isMarked: () => boolean,
  instead: () => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const head = await firstChunks(packed);
  if (head === undefined || (!head.ended && isMarked())) {
    await packed.return(undefined);
    yield* instead();
    return;
  }
  yield* head.chunks;
  yield* packed;
}

/** The first chunks, which the packer does not touch again; `undefined` when the packing found a mark. */
async function firstChunks(
  packed: AsyncGenerator<Buffer>,
): Promise<{ readonly chunks: readonly Buffer[]; readonly ended: boolean } | undefined> {
  const chunks: Buffer[] = [];
  try {
    for (let size = 0; size <= HELD_BACK; ) {
      const { value, done } = await packed.next();
      if (done === true) return { chunks, ended: true };
      chunks.push(value);
      size += value.length;
    }
    return { chunks, ended: false };
  } catch (error) {
    if (error instanceof TsengineError && error.code === 'Unavailable') return undefined;
    throw error;
  }
}
