/** Number, character and string constants of templates, as Go's parser reads them. Mistakes throw Go's words. */
import { quote, unquote } from '../go/quote.ts';
import { GoFloat } from '../go/values.ts';

/** An integer beyond 64 bits: fine to parse, an error to use, as in Go. */
export class Overflow {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

// Underscores stand between digits only.
const INTEGER =
  /^[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)$/;
const FLOAT = /^[+-]?(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?$/;

/** The value of a number or of a character constant: an int, a `GoFloat` or an `Overflow`. */
export function numberConstant(text: string): unknown {
  if (text.startsWith("'")) {
    const char = unquote(text);
    if (char === undefined || [...char].length !== 1)
      throw new Error(`malformed character constant: ${text}`);
    return char.codePointAt(0);
  }
  if (INTEGER.test(text)) return integer(text);
  if (!FLOAT.test(text)) throw new Error(`illegal number syntax: ${quote(text)}`);
  const value = Number(text.replaceAll('_', ''));
  if (/[.eE]/.test(text)) return new GoFloat(value);
  return value;
}

/** The text of a string constant. */
export function stringConstant(text: string): string {
  const value = unquote(text);
  if (value === undefined) throw new Error('invalid syntax');
  return value;
}

function integer(text: string): number | bigint | Overflow {
  const negative = text.startsWith('-');
  let digits = text.replace(/^[+-]/, '').replaceAll('_', '');
  // Go still takes a leading zero for octal.
  if (/^0[0-7]/.test(digits)) digits = `0o${digits.slice(1)}`;
  const size = BigInt(digits);
  const value = negative ? -size : size;
  if (BigInt.asIntN(64, value) !== value) {
    if (BigInt.asUintN(64, value) !== value) throw new Error(`integer overflow: ${quote(text)}`);
    return new Overflow(text);
  }
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
