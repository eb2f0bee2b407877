/** Writes docs/matrix.schema.json: the format of `tsengine lab matrix` as a JSON Schema. `--check` only says whether it is as it must be. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { matrixSchemaText } from '../src/lab/matrix/schema-text.ts';

const path = resolve(import.meta.dirname, '../docs/matrix.schema.json');
const text = await matrixSchemaText();
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error(
    'docs/matrix.schema.json is not what src/lab/matrix/schema.ts says: run node scripts/matrix-schema.ts',
  );
  process.exitCode = 1;
}
