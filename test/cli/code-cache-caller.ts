/** Loads a program as main.ts does: `FILE ID ARGS`. Calls the function that the first argument names. */
import { createRequire } from 'node:module';
import { loadCompiled } from '../../src/cli/code-cache.ts';

const [file = '', id = '', ...args] = process.argv.slice(2);
const { exports, keep } = loadCompiled<Record<string, () => string>>(
  file,
  id,
  args,
  createRequire(import.meta.url),
);
process.stdout.write(exports[args[0] ?? '']?.() ?? 'no such function');
keep();
