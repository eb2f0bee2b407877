/**
 * One operation of the engine in a process of its own, which a test may kill or let fail at any system call:
 * `node engine-child.ts OPTIONS-AS-JSON OPERATION ARGUMENT…`. Prints what it did as JSON; an error goes to standard
 * error, one line, exit code 1.
 */
import { createReadStream } from 'node:fs';
import type { Engine } from '../../src/engine/api/services.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { errorMessage } from '../../src/errors.ts';

const OPERATIONS: Readonly<Record<string, (engine: Engine, ...args: string[]) => Promise<unknown>>> = {
  load: (engine, file = '') => engine.images.load(createReadStream(file)),
  loadFile: (engine, file = '') => engine.images.load(createReadStream(file), { file }),
  import: (engine, file = '', reference = '') => engine.images.import(createReadStream(file), { reference }),
  remove: (engine, name = '') => engine.images.remove(name),
  tag: (engine, source = '', target = '') => engine.images.tag(source, target),
  list: (engine) => engine.images.list({ all: true }),
};

const [options = '{}', operation = '', ...args] = process.argv.slice(2);
try {
  await using engine = await openEngine(JSON.parse(options));
  const run = OPERATIONS[operation];
  if (run === undefined) throw new Error(`no operation ${operation}`);
  console.log(JSON.stringify(await run(engine, ...args)));
} catch (error) {
  console.error(errorMessage(error));
  process.exitCode = 1;
}
