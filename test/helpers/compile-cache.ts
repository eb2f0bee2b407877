/**
 * Loaded before each test file (`--import`): what was compiled is kept from run to run. Through a call and not through
 * `NODE_COMPILE_CACHE`, which every program that a test starts would have as well.
 */
import { enableCompileCache } from 'node:module';
import { COMPILED_TESTS } from './compiled-tests.ts';

enableCompileCache(COMPILED_TESTS);
