/** Writes docs/bench.schema.json: the format of `tsengine bench` as a JSON Schema. `--check` only says whether it is as it must be. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { resultSchemaText } from '../bench/suite/schema-text.ts';

const path = resolve(import.meta.dirname, '../docs/bench.schema.json');
const text = await resultSchemaText();
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error(
    'docs/bench.schema.json is not what bench/suite/schema.ts says: run node scripts/bench-schema.ts',
  );
  process.exitCode = 1;
}
