/** How much memory a machine may have. */
import { totalmem } from 'node:os';
import { TsengineError } from '../errors.ts';

/** Bytes of a machine that nobody gave another number. */
export const DEFAULT_MEMORY = 2 * 2 ** 30;

/** Bytes: less does not hold the initial RAM disk and the agent. */
const LEAST_MEMORY = 128 * 2 ** 20;

/** Fails with `InvalidParameter` on fewer bytes than a machine needs, and on more than this one has. */
export function mustBeEnough(bytes: number): void {
  const invalid = (message: string): never => {
    throw new TsengineError('InvalidParameter', message);
  };
  if (!(bytes >= LEAST_MEMORY))
    invalid(`${bytes} bytes of memory are too few for a machine: give it 128M or more`);
  if (bytes > totalmem())
    invalid(`${Math.ceil(bytes / 2 ** 20)} MiB are more memory than this machine has itself`);
}
