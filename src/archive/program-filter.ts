import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { hasErrno, TsengineError } from '../errors.ts';

/** A program that decompresses, and the package that brings it. */
export interface FilterProgram {
  readonly program: string;
  readonly package: string;
}

/**
 * A stream through `program -dc`, for formats that Node cannot read. It fails with the program's first line of standard
 * error when that ends with anything but 0, and with `Unavailable` where it is not installed. Destroying it ends the
 * program.
 */
export class ProgramFilter extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;
  #complaint = '';

  constructor(filter: FilterProgram) {
    super();
    this.#child = spawn(filter.program, ['-dc']);
    const { stdin, stdout, stderr } = this.#child;
    stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stdout.pause();
    });
    stderr.on('data', (chunk: Buffer) => {
      this.#complaint = `${this.#complaint}${chunk.toString()}`.slice(0, 1000);
    });
    // The program ended before it had read all: how it ended says why.
    stdin.on('error', () => undefined);
    this.#child.on('error', (error) => this.destroy(missing(filter, error)));
    this.#child.on('close', (code) => {
      if (code === 0) this.push(null);
      else
        this.destroy(
          new Error(this.#complaint.trim().split('\n')[0] ?? `${filter.program} ended with ${code}`),
        );
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#child.kill('SIGKILL');
    done(error);
  }
}

function missing(filter: FilterProgram, error: Error): Error {
  if (!hasErrno(error, 'ENOENT')) return error;
  const advice = `install the package ${filter.package}`;
  return new TsengineError('Unavailable', `${filter.program} is needed to read this archive: ${advice}`, {
    cause: error,
  });
}
