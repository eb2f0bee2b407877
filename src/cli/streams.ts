/** Where archives come from and go to: files, standard input and output, and the web. */
import { createReadStream, existsSync, fstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorMessage, hasErrno, TsengineError } from '../errors.ts';
import { closeFile, openFile } from '../linux/files.ts';
import { writeOut } from './output.ts';
import { writeOutputFile } from './output-file.ts';

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
 * is complete; a terminal is refused. `what` is what fails when it cannot be put there: `save image`.
 */
export async function writeStream(
  data: AsyncIterable<Buffer>,
  output: string | undefined,
  what: string,
): Promise<void> {
  if (output === undefined) {
    refuseTerminal();
    for await (const chunk of data) await writeOut(1, chunk);
    return;
  }
  checkOutput(output, what);
  await writeOutputFile(data, output);
}

/** Fails where no file can be put: a folder that is not there, a device in its place. Docker's words. */
function checkOutput(path: string, what: string): void {
  const fail = (why: string): never => {
    throw new TsengineError('InvalidParameter', `failed to ${what}: invalid output path: ${why}`);
  };
  const folder = dirname(path);
  if (!existsSync(folder)) fail(`directory "${folder}" does not exist`);
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory()) fail(`"${path}" is a directory`);
  if (there?.isCharacterDevice() || there?.isBlockDevice())
    fail(`"${path}" must be a directory or a regular file: got a device`);
  if (there?.isFIFO() || there?.isSocket())
    fail(`"${path}" must be a directory or a regular file: got an irregular file`);
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
