/** Where what was compiled of the sources is kept from run to run: compiling is most of what a child of a test takes. */
import { join } from 'node:path';

/** The folder of the tests' compile cache. Node makes it; nothing is lost with it. A checkout that is read-only has it elsewhere. */
export const COMPILED_TESTS =
  process.env.TSENGINE_TEST_COMPILED ?? join(import.meta.dirname, '../../.cache/compiled-tests');

/** The environment of a process of ours that runs from the sources and starts no other Node. */
export const FROM_SOURCES: Readonly<Record<string, string>> = { NODE_COMPILE_CACHE: COMPILED_TESTS };
