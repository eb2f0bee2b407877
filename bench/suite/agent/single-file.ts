/** Work with one file: making it, its first change, reading it, writing all over it. */
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { type Arguments, numberOf, textOf } from './arguments.ts';
import type { Values } from './counted.ts';

const MIB = 1024 * 1024;

/** The time that the work takes, in milliseconds. */
function timed(work: () => void): Values {
  const started = performance.now();
  work();
  return { ms: performance.now() - started };
}

/** Opens a file, writes `bytes` at its beginning and closes it: where it is one of the image, this copies it up. */
export function writeStart(args: Arguments): Values {
  const path = textOf(args, 'path');
  const content = Buffer.alloc(numberOf(args, 'bytes'), 0x78);
  return timed(() => {
    const file = openSync(path, 'r+');
    writeSync(file, content, 0, content.length, 0);
    closeSync(file);
  });
}

/** Sets the mode to one that it did not have. */
export function changeMode(args: Arguments): Values {
  const path = textOf(args, 'path');
  const mode = lstatSync(path).mode & 0o777;
  return timed(() => chmodSync(path, mode ^ 0o050));
}

/** Gives the file to another user. */
export function changeOwner(args: Arguments): Values {
  const path = textOf(args, 'path');
  const { uid, gid } = lstatSync(path);
  return timed(() => chownSync(path, uid + 1, gid));
}

/** Makes a file of bytes that no filesystem finds twice or compresses, and has it on disk. */
export function makeFile(args: Arguments): Values {
  const [path, size] = [textOf(args, 'path'), numberOf(args, 'size')];
  const block = noise(MIB);
  return timed(() => {
    const file = openSync(path, 'wx');
    for (let at = 0; at < size; at += block.length) {
      block.writeDoubleLE(at + 1, 0);
      writeSync(file, block, 0, Math.min(block.length, size - at));
    }
    fsyncSync(file);
    closeSync(file);
  });
}

/** Bytes that look like chance and are always the same (xorshift). The length is a multiple of 4. */
export function noise(length: number): Buffer {
  const block = Buffer.allocUnsafe(length);
  let state = 2_463_534_242;
  for (let at = 0; at < length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    block.writeInt32LE(state, at);
  }
  return block;
}

/** Reads a file from its beginning to its end, a mebibyte at a time. */
export function readWhole(args: Arguments): Values {
  const path = textOf(args, 'path');
  const buffer = Buffer.allocUnsafe(MIB);
  const started = performance.now();
  const file = openSync(path, 'r');
  let bytes = 0;
  for (let got = 1; got > 0; bytes += got) got = readSync(file, buffer);
  closeSync(file);
  const ms = performance.now() - started;
  return { ms, bytes, rate: (bytes * 1000) / ms };
}

/** Writes blocks of 4 KiB at places all over a file, always the same places for the same seed, and has them on disk. */
export function overwrite(args: Arguments): Values {
  const [path, count] = [textOf(args, 'path'), numberOf(args, 'count')];
  const block = noise(4096);
  let state = numberOf(args, 'seed') | 1;
  return timed(() => {
    const file = openSync(path, 'r+');
    const blocks = Math.floor(lstatSync(path).size / block.length);
    for (let done = 0; done < count; done++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      block.writeInt32LE(done, 0);
      writeSync(file, block, 0, block.length, ((state >>> 0) % blocks) * block.length);
    }
    fsyncSync(file);
    closeSync(file);
  });
}

/** One look at the root directory, repeated: what a call costs that touches no disk. */
export function statRoot(args: Arguments): Values {
  const times = numberOf(args, 'times');
  const { ms = 0 } = timed(() => {
    for (let time = 0; time < times; time++) lstatSync('/');
  });
  return { ms: ms / times };
}

/** Removes a file. */
export function removeFile(args: Arguments): Values {
  const path = textOf(args, 'path');
  return timed(() => unlinkSync(path));
}
