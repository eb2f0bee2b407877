/** The disks of one machine alone: tsengine's code, one for results where they are wanted, and the empty ones. */
import { dirname, join } from 'node:path';
import { hasErrno, TsengineError } from '../errors.ts';
import { closeFile, openFile } from '../linux/files.ts';
import { ftruncate } from '../linux/space.ts';
import { explainFull } from './cache.ts';
import { makeCodeDisk } from './code-disk.ts';
import type { LabContext } from './context.ts';
import { diskSerials } from './guest-init.ts';
import type { MachineDisk } from './qemu.ts';
import { makeResultsDisk } from './results.ts';
import type { MachineRequest } from './types.ts';

/** What was made. */
export interface MadeDisks {
  /** The image with the code. */
  readonly code: string;
  /** The image for results; `undefined` where none are wanted. */
  readonly results: string | undefined;
  /** All but the code, as the machine gets them. */
  readonly others: readonly MachineDisk[];
}

/**
 * Makes them in `folder`, which is in the lab's cache and goes with the machine. Fails in one line that says so when the
 * cache's disk is full, and for a disk that is larger than its file system takes.
 */
export async function makeDisks(
  { code, results, disks = [] }: Pick<MachineRequest, 'code' | 'results' | 'disks'>,
  folder: string,
  context: LabContext,
): Promise<MadeDisks> {
  try {
    const codeDisk = code ?? (await makeCodeDisk(folder, context));
    const resultsDisk = results === undefined ? undefined : await makeResultsDisk(folder, context);
    const others = additionalDisks(disks, folder);
    if (resultsDisk === undefined) return { code: codeDisk, results: undefined, others };
    const forResults: MachineDisk = { path: resultsDisk, serial: diskSerials.results, mode: 'read-write' };
    return { code: codeDisk, results: resultsDisk, others: [forResults, ...others] };
  } catch (error) {
    throw explainFull(error, "the machine's disks", dirname(folder));
  }
}

function additionalDisks(sizes: readonly number[], folder: string): readonly MachineDisk[] {
  return sizes.map((size, index) => {
    const path = join(folder, `disk${index + 1}`);
    const fd = openFile(path, 'wx');
    try {
      ftruncate(fd, size);
    } catch (error) {
      throw hasErrno(error, 'EFBIG', 'EINVAL') ? tooLarge(size, folder, error) : error;
    } finally {
      closeFile(fd);
    }
    return { path, serial: `disk${index + 1}`, mode: 'read-write' };
  });
}

function tooLarge(size: number, folder: string, cause: unknown): TsengineError {
  return new TsengineError(
    'InvalidParameter',
    `a disk of ${Math.floor(size / 2 ** 30)} GiB (--disk) cannot be made: no file of that size fits the file system of the lab's cache, ${dirname(folder)}: give it less`,
    { cause },
  );
}
