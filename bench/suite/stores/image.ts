/** What a store is on: a sparse file without a name, as a block device. */
import { closeSync, existsSync, openSync, unlinkSync } from 'node:fs';
import { errorMessage, TsengineError } from '../../../src/errors.ts';
import { readText } from '../../../src/linux/files.ts';
import { attachLoop, type LoopDevice } from '../../../src/linux/loop.ts';
import { randomBytes } from '../../../src/linux/random.ts';
import { ftruncate } from '../../../src/linux/space.ts';
import type { StoreOptions } from './store.ts';

/** A block device on a file of its own. */
export interface StoreImage extends Disposable {
  /** `/dev/loop7`. */
  readonly path: string;
  /** `loop7`, as in /sys/block. */
  readonly name: string;
  /** Whether it passes by the page cache of the filesystem that the file is on. */
  readonly isDirect: boolean;
}

const PREFIX = '.tsengine-bench-';

/**
 * Makes one of so many bytes in a folder. The file's name is gone at once, and the device detaches itself at its last close:
 * whatever happens to this process, nothing is left of it.
 */
export function makeStoreImage(
  { images: folder, owner }: Pick<StoreOptions, 'images' | 'owner'>,
  size: number,
): StoreImage {
  const file = `${folder}/${PREFIX}${owner}-${randomBytes(4).toString('hex')}`;
  let loop: LoopDevice;
  try {
    const made = openSync(file, 'wx', 0o600);
    try {
      ftruncate(made, size);
    } finally {
      closeSync(made);
    }
    loop = attachLoop(file, false, true);
  } catch (error) {
    throw new TsengineError('System', `cannot make a store in ${folder}: ${errorMessage(error)}`, {
      cause: error,
    });
  } finally {
    removeIfAny(file);
  }
  const name = loop.path.slice('/dev/'.length);
  return {
    path: loop.path,
    name,
    isDirect: readText(`/sys/block/${name}/loop/dio`).trim() === '1',
    [Symbol.dispose]: () => loop[Symbol.dispose](),
  };
}

function removeIfAny(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // It was not made.
  }
}

/** Whether the file behind a loop device, as /sys tells it, is an image of ours whose process is gone. */
export function isLeft(backingFile: string): boolean {
  const owner = new RegExp(`/${PREFIX.replace('.', '\\.')}(\\d+)-[0-9a-f]+ \\(deleted\\)$`).exec(
    backingFile,
  )?.[1];
  return owner !== undefined && !isRunning(Number(owner));
}

/** Whether there is a process of this number. */
export function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
