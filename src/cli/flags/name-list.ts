import { TsengineError } from '../../errors.ts';
import { parseFlag } from './flag-error.ts';

/** The names of `a,b,c`, without the spaces around them. Fails on an empty one, an empty list included, as `parseFlag` words it. */
export function nameList(flag: string, text: string): readonly string[] {
  return parseFlag(flag, text, () => {
    const names = text.split(',').map((name) => name.trim());
    if (names.includes('')) throw new TsengineError('InvalidParameter', 'a name is empty');
    return names;
  });
}
