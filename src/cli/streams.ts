/** Where archives come from and go to: files, standard input and output, and the web. */
import { createReadStream, fstatSync } from 'node:fs';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { closeFile, openFile, removeFile, renameFile, writeAll } from '../linux/files.ts';
import { writeOut } from './output.ts';

/** Bytes read at once from a file. */
const CHUNK = 1024 * 1024;

/** A file's bytes. Fails before the first byte when it cannot be opened, in Docker's words. */
export function readFileStream(path: string): AsyncIterable<Buffer> {
  let fd: number;
  try {
    fd = openFile(path, 'r');
    if (fstatSync(fd).isDirectory()) {
      closeFile(fd);
      throw new TsengineError('InvalidParameter', `read ${path}: is a directory`);
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) {
      throw new TsengineError('NotFound', `open ${path}: no such file or directory`, { cause: error });
    }
    throw error;
  }
  return buffers(createReadStream('', { fd, highWaterMark: CHUNK }));
}

/** Standard input's bytes. */
export function readStandardInput(): AsyncIterable<Buffer> {
  return buffers(process.stdin);
}

/** The body of a web page. */
export async function* readUrl(url: string): AsyncGenerator<Buffer> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    const why = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new TsengineError('Unavailable', `cannot download ${url}: ${errorMessage(why)}`, { cause: error });
  }
  if (!response.ok || response.body === null) {
    throw new TsengineError('Unavailable', `cannot download ${url}: the server says ${response.status}`);
  }
  for await (const chunk of response.body)
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

async function* buffers(source: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    if (Buffer.isBuffer(chunk)) yield chunk;
    else if (typeof chunk === 'string') yield Buffer.from(chunk);
  }
}

/**
 * Writes a stream to `output`, or to standard output when that is undefined. A file appears under its name only when it
 * is complete; a terminal is refused.
 */
export async function writeStream(data: AsyncIterable<Buffer>, output: string | undefined): Promise<void> {
  if (output === undefined) {
    refuseTerminal();
    for await (const chunk of data) await writeOut(1, chunk);
    return;
  }
  const temporary = `${output}.tmp-${process.pid}`;
  const fd = openFile(temporary, 'wx', 0o600);
  try {
    try {
      for await (const chunk of data) writeAll(fd, chunk);
    } finally {
      closeFile(fd);
    }
    renameFile(temporary, output);
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
}

/** Fails when standard output is a terminal, which an archive would only confuse. Source: Docker's message. */
export function refuseTerminal(): void {
  if (process.stdout.isTTY) {
    throw new TsengineError(
      'InvalidParameter',
      'cowardly refusing to save to a terminal. Use the -o flag or redirect',
    );
  }
}
