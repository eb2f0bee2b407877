/** Writes matrix.md and matrix.html anew beside the matrix.json of a folder; docs/matrix when none is given. The JSON stays as it is. */
import { resolve } from 'node:path';
import { readMatrix, writePages } from '../src/lab/matrix/matrix-file.ts';

const folder = resolve(process.argv[2] ?? `${import.meta.dirname}/../docs/matrix`);
await writePages(readMatrix(`${folder}/matrix.json`), folder);
