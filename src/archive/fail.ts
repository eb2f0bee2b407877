import { TsengineError } from '../errors.ts';
import { printablePath } from '../linux/path.ts';

/**
 * Ends the parse of one archive member. `Corrupt` is for bytes that break the format, `InvalidParameter` for what is
 * well formed and past a limit or of a kind we do not take.
 */
export type Fail = (reason: string, code?: 'Corrupt' | 'InvalidParameter') => never;

/** The error for a member of an archive that cannot be read: one line with the member and the byte where its header starts. */
export function memberError(
  code: 'Corrupt' | 'InvalidParameter',
  name: Buffer | undefined,
  offset: number,
  reason: string,
): TsengineError {
  const member = name === undefined || name.length === 0 ? '' : `"${printableMember(name)}" `;
  return new TsengineError(code, `invalid tar archive: ${member}at byte ${offset}: ${reason}`);
}

/** A member's name for a message: escaped, and cut in the middle when it is longer than a screen line can bear. */
export function printableMember(name: Buffer): string {
  const shown =
    name.length > 200 ? Buffer.concat([name.subarray(0, 120), Buffer.from('...'), name.subarray(-60)]) : name;
  return printablePath(shown);
}
