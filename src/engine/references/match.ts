/** The patterns of `docker images NAME` and of its `reference` filter. */
import { TsengineError } from '../../errors.ts';
import { familiarName, familiarString, type Reference } from './reference.ts';

/**
 * Whether a shell pattern fits a reference as people write it, with its tag or without. Throws InvalidParameter
 * `syntax error in pattern`.
 */
export function matchReference(pattern: string, reference: Reference): boolean {
  const expression = globToRegExp(pattern);
  return expression.test(familiarString(reference)) || expression.test(familiarName(reference));
}

/** Go's path.Match: `*` and `?` stop at a slash, `[a-z]` and `[^a]` are sets, `\` quotes. */
export function globToRegExp(pattern: string): RegExp {
  let source = '';
  const token = /\*|\?|\[(\^?)((?:\\[\s\S]|[^\]\\])+)\]|\\([\s\S])|([^\\[])/uy;
  while (token.lastIndex < pattern.length) {
    const match = token.exec(pattern);
    if (match === null) throw new TsengineError('InvalidParameter', 'syntax error in pattern');
    const [whole, not, set, quoted, plain] = match;
    if (set !== undefined)
      source += `[${not ?? ''}${set.replaceAll(/\\([\s\S])|[[&~|^]/gu, (each, char?: string) => escapeChar(char ?? each))}]`;
    else if (whole === '*') source += '[^/]*';
    else if (whole === '?') source += '[^/]';
    else source += escapeChar(quoted ?? plain ?? '');
  }
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch {
    // A range such as [z-a].
    throw new TsengineError('InvalidParameter', 'syntax error in pattern');
  }
}

function escapeChar(char: string): string {
  return /[\\^$.*+?()[\]{}|/-]/.test(char) ? `\\${char}` : char;
}
