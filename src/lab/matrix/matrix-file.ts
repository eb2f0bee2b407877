/** The JSON file of a matrix, in and out. */
import { schemaMessage } from '../../engine/json.ts';
import { errorMessage, TsengineError } from '../../errors.ts';
import { readText, writeFileAtomic } from '../../linux/files.ts';
import { MATRIX_VERSION, type Matrix, schemas } from './schema.ts';

/** The file's text. */
export function matrixText(matrix: Matrix): string {
  return `${JSON.stringify(matrix, undefined, 2)}\n`;
}

/** Reads and checks a matrix. The error names the file and the field. */
export function readMatrix(path: string): Matrix {
  let value: unknown;
  try {
    value = JSON.parse(readText(path));
  } catch (error) {
    throw new TsengineError('InvalidParameter', `cannot read a matrix from ${path}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  return parseMatrix(value, path);
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
  if (parsed.success) return parsed.data;
  throw new TsengineError('InvalidParameter', `${path} is no matrix: ${schemaMessage(parsed.error)}`);
}

/** Where the three forms of a matrix were written. */
export interface MatrixFiles {
  readonly json: string;
  readonly markdown: string;
  readonly html: string;
}

/** Writes all three forms into a folder, each in one step. */
export async function writeMatrix(matrix: Matrix, folder: string): Promise<MatrixFiles> {
  const json = `${folder}/matrix.json`;
  writeFileAtomic(json, matrixText(matrix), { mode: 0o644 });
  return { json, ...(await writePages(matrix, folder)) };
}

/** Writes the two forms for people into a folder, each in one step. */
export async function writePages(matrix: Matrix, folder: string): Promise<Omit<MatrixFiles, 'json'>> {
  const { matrixMarkdown } = await import('./markdown.ts');
  const { matrixPage } = await import('./html.ts');
  const files = { markdown: `${folder}/matrix.md`, html: `${folder}/matrix.html` };
  writeFileAtomic(files.markdown, matrixMarkdown(matrix), { mode: 0o644 });
  writeFileAtomic(files.html, matrixPage(matrix), { mode: 0o644 });
  return files;
}
