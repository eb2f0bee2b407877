/**
 * Bytes to standard output and standard error without `process.stdout`, which costs 3 ms to set up and buffers without
 * limit what a slow reader does not take.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno, TsengineError } from '../errors.ts';
import { SyscallError } from '../linux/errno.ts';

/** The exit code of a program like docker that died of SIGPIPE, as shells report it: 128 + 13. */
export const SIGPIPE_EXIT = 141;

/** Nobody reads our output any more. The command ends quietly, with `SIGPIPE_EXIT`, once it has put back what it holds. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/** Between two tries when a pipe is full, in milliseconds: twice as long each time, up to the second. */
export const PAUSE = 1;
/** The longest of them, in milliseconds. */
export const LONGEST_PAUSE = 50;

/**
 * Writes all of `data` to the descriptor (1 or 2), waiting as long as the reader does not keep up. Fails with `ReaderGone`
 * when the reader has gone away.
 */
export async function writeOut(fd: number, data: Buffer | string): Promise<void> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  let pause = PAUSE;
  for (let done = 0; done < bytes.length; ) {
    const written = writeSome(fd, bytes, done);
    done += written;
    if (written === 0) await sleep(pause);
    pause = written === 0 ? Math.min(pause * 2, LONGEST_PAUSE) : PAUSE;
  }
}

/** The same for callers that cannot wait: the whole process stands still while the reader does not keep up. */
export function writeOutNow(fd: number, data: string): void {
  const bytes = Buffer.from(data);
  for (let done = 0; done < bytes.length; ) {
    const written = writeSome(fd, bytes, done);
    done += written;
    if (written === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
  }
}

/** Gives how many bytes the descriptor took: none when it is a pipe that somebody made non-blocking, and full. */
function writeSome(fd: number, bytes: Buffer, done: number): number {
  try {
    return writeSync(fd, bytes, done, bytes.length - done);
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return 0;
    throw outputError(fd, error);
  }
}

/** What a failed write to standard output or standard error is: `ReaderGone`, or an error that says in one line why. */
export function outputError(fd: number, error: unknown): Error {
  if (hasErrno(error, 'EPIPE')) return new ReaderGone('nobody reads the output', { cause: error });
  const stream = fd === 1 ? 'standard output' : 'standard error';
  // By number: libuv has no name for some, EDQUOT among them.
  const errno =
    error instanceof Error && 'errno' in error && typeof error.errno === 'number' ? Math.abs(error.errno) : 0;
  const why = new SyscallError('write', errno, { path: stream }).message;
  // Of `run`, too: 125 would say that no container ran.
  return new TsengineError('System', why, { cause: error, exitCode: 1 });
}

/** Writes one line to standard output. */
export async function printLine(line: string): Promise<void> {
  await writeOut(1, `${line}\n`);
}
