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

/**
 * Writes all of `data` to the descriptor (1 or 2), waiting as long as the reader does not keep up. Fails with `ReaderGone`
 * when the reader has gone away.
 */
export async function writeOut(fd: number, data: Buffer | string): Promise<void> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  let pause = 1;
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done, bytes.length - done);
      pause = 1;
    } catch (error) {
      if (hasErrno(error, 'EPIPE')) throw new ReaderGone('nobody reads the output', { cause: error });
      // A pipe that somebody made non-blocking is full.
      if (!hasErrno(error, 'EAGAIN')) throw cannotWrite(fd, error);
      await sleep(pause);
      pause = Math.min(pause * 2, 50);
    }
  }
}

function cannotWrite(fd: number, error: unknown): TsengineError {
  const stream = fd === 1 ? 'standard output' : 'standard error';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = new SyscallError('write', code, { path: stream }).message;
  return new TsengineError('System', why, { cause: error });
}

/** Writes one line to standard output. */
export async function printLine(line: string): Promise<void> {
  await writeOut(1, `${line}\n`);
}
