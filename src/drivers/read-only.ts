import { dirname } from 'node:path';
import { TsengineError } from '../errors.ts';
import { pathExists } from '../linux/files.ts';

/** The refusal of whatever would change a store that was opened for reading. */
export function onlyRead(driver: string): TsengineError {
  return new TsengineError('Forbidden', `${driver}: opened with --read-only-root, and this would change it`);
}

/** The path itself, or the folder above it that is there. */
export function existingFolder(path: string): string {
  return pathExists(path) ? path : existingFolder(dirname(path));
}
