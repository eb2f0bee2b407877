/** The JSON file of a matrix, in and out. */
import { statSync } from 'node:fs';
import { errorMessage, TsengineError } from '../../errors.ts';
import { closeFile, openFile, readInto, writeFileAtomic } from '../../linux/files.ts';
import { printablePath } from '../../linux/path.ts';
import { schemaMessage } from '../../schema-message.ts';
import { MATRIX_VERSION, type Matrix, schemas } from './schema.ts';

/** Bytes. A matrix of five kernels has two million. */
const LARGEST = 256 * 1024 * 1024;

/** The file's text. */
export function matrixText(matrix: Matrix): string {
  return `${JSON.stringify(matrix, undefined, 2)}\n`;
}

/** Reads and checks a matrix. The error names the file and the field. */
export function readMatrix(path: string): Matrix {
  let value: unknown;
  try {
    value = JSON.parse(textUpTo(path, LARGEST));
  } catch (error) {
    throw new TsengineError('InvalidParameter', `cannot read a matrix from ${path}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  return parseMatrix(value, path);
}

/** The text of a file or a pipe. What is larger than `largest` bytes is read no further: `/dev/zero` has no end. */
export function textUpTo(path: string, largest: number): string {
  const fd = openFile(path, 'r');
  try {
    const pieces: Buffer[] = [];
    let length = 0;
    for (;;) {
      const piece = Buffer.allocUnsafe(1 << 20);
      const read = readInto(fd, piece, 0, piece.length, null);
      if (read === 0) return Buffer.concat(pieces).toString('utf8');
      pieces.push(piece.subarray(0, read));
      length += read;
      if (length > largest)
        throw new TsengineError('InvalidParameter', `it is larger than ${largest / 1024 / 1024} MiB`);
    }
  } finally {
    closeFile(fd);
  }
}

/** Checks what came out of a file; `path` is what an error names. */
export function parseMatrix(value: unknown, path: string): Matrix {
  const version =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version > MATRIX_VERSION) {
    throw new TsengineError(
      'InvalidParameter',
      `${path} has version ${version} of the format, and this tsengine knows ${MATRIX_VERSION}: use a newer one`,
    );
  }
  const parsed = schemas().matrix.safeParse(value);
  if (parsed.success) return withoutTwins(parsed.data, path);
  throw new TsengineError('InvalidParameter', `${path} is no matrix: ${schemaMessage(parsed.error)}`);
}

/** What is there twice, in files that were put together of several, would hide one of the two wherever matrices are compared. */
function withoutTwins(matrix: Matrix, path: string): Matrix {
  const seen = new Set<string>();
  const once = (what: string): void => {
    if (seen.has(what))
      throw new TsengineError('InvalidParameter', `${path} is no matrix: it has ${what} twice`);
    seen.add(what);
  };
  for (const { name, cells } of matrix.kernels) {
    once(`the kernel ${printablePath(name)}`);
    for (const { driver, backing } of cells)
      once(`${driver} on ${backing} of the kernel ${printablePath(name)}`);
  }
  return matrix;
}

const NAMES: MatrixFiles = { json: 'matrix.json', markdown: 'matrix.md', html: 'matrix.html' };

/** Where the three forms of a matrix were written. */
export interface MatrixFiles {
  readonly json: string;
  readonly markdown: string;
  readonly html: string;
}

/** Fails where one of the three cannot be written because a folder has its name: to be asked before hours of work. */
export function mustTakeMatrix(folder: string): void {
  for (const name of Object.values(NAMES))
    if (isFolder(`${folder}/${name}`))
      throw new TsengineError(
        'InvalidParameter',
        `cannot write to --out ${folder}: ${name} is a folder there`,
      );
}

/** What cannot be looked at is said where it is written. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Writes all three forms into a folder, each in one step. */
export async function writeMatrix(matrix: Matrix, folder: string): Promise<MatrixFiles> {
  const json = `${folder}/${NAMES.json}`;
  writeFileAtomic(json, matrixText(matrix), { mode: 0o644 });
  return { json, ...(await writePages(matrix, folder)) };
}

/** Writes the two forms for people into a folder, each in one step. */
export async function writePages(matrix: Matrix, folder: string): Promise<Omit<MatrixFiles, 'json'>> {
  const { matrixMarkdown } = await import('./markdown.ts');
  const { matrixPage } = await import('./html.ts');
  const files = { markdown: `${folder}/${NAMES.markdown}`, html: `${folder}/${NAMES.html}` };
  writeFileAtomic(files.markdown, matrixMarkdown(matrix), { mode: 0o644 });
  writeFileAtomic(files.html, matrixPage(matrix), { mode: 0o644 });
  return files;
}
