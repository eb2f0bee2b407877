/** The parts of Go's `fmt` that format one string or one integer. */
import { canBackquote, quote, quoteRune, runeText } from './quote.ts';

/** The flags of one directive such as `%-10.3s`. */
export interface Flags {
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** Characters at least. */
  width: number | undefined;
  /** Digits, or characters at most. */
  precision: number | undefined;
}

/** No flags at all. */
export function noFlags(): Flags {
  return {
    minus: false,
    plus: false,
    sharp: false,
    space: false,
    zero: false,
    width: undefined,
    precision: undefined,
  };
}

/** Fills `text` up to the width, counted in characters as Go counts them: code points. */
export function pad(text: string, flags: Flags): string {
  const missing = (flags.width ?? 0) - [...text].length;
  if (missing <= 0) return text;
  if (flags.minus) return text + ' '.repeat(missing);
  return (flags.zero ? '0' : ' ').repeat(missing) + text;
}

/** A string under verb `v s q x X`; `undefined` for any other. */
export function formatString(text: string, verb: string, flags: Flags): string | undefined {
  const shown = flags.precision === undefined ? text : [...text].slice(0, flags.precision).join('');
  switch (verb) {
    case 'v':
      return pad(flags.sharp ? quote(shown) : shown, flags);
    case 's':
      return pad(shown, flags);
    case 'q':
      return pad(flags.sharp && canBackquote(shown) ? `\`${shown}\`` : quote(shown, flags.plus), flags);
    case 'x':
    case 'X':
      return pad(formatHex(text, verb, flags), flags);
    default:
      return undefined;
  }
}

function formatHex(text: string, verb: 'x' | 'X', flags: Flags): string {
  const bytes = [...Buffer.from(text).subarray(0, flags.precision ?? undefined)];
  const pairs = bytes.map((byte) => byte.toString(16).padStart(2, '0'));
  const prefix = flags.sharp ? '0x' : '';
  const out = flags.space
    ? pairs.map((pair) => prefix + pair).join(' ')
    : pairs.length > 0
      ? prefix + pairs.join('')
      : '';
  return verb === 'X' ? out.toUpperCase() : out;
}

const BASES = new Map<string, readonly [radix: number, prefix: string]>([
  ['v', [10, '']],
  ['d', [10, '']],
  ['b', [2, '0b']],
  ['o', [8, '0']],
  ['O', [8, '0o']],
  ['x', [16, '0x']],
  ['X', [16, '0x']],
]);

/** An integer under verb `v d b o O x X c q U`; `undefined` for any other. */
export function formatInteger(value: bigint, verb: string, flags: Flags): string | undefined {
  if (verb === 'c') return pad(runeText(Number(value)), flags);
  if (verb === 'q') return pad(quoteRune(Number(value), flags.plus), flags);
  if (verb === 'U') return pad(formatUnicode(value, flags), flags);
  const base = BASES.get(verb);
  if (base === undefined) return undefined;
  const [radix, prefix] = base;
  const sign = value < 0n ? '-' : flags.plus ? '+' : flags.space ? ' ' : '';
  let digits = (value < 0n ? -value : value).toString(radix);
  if (flags.precision !== undefined)
    digits = value === 0n && flags.precision === 0 ? '' : digits.padStart(flags.precision, '0');
  else if (flags.zero && flags.width !== undefined) digits = digits.padStart(flags.width - sign.length, '0');
  // %O carries its prefix always, the others with '#' only.
  let out = sign + ((flags.sharp && radix !== 10) || verb === 'O' ? prefix : '') + digits;
  if (verb === 'X') out = out.toUpperCase();
  return pad(out, { ...flags, zero: false });
}

function formatUnicode(value: bigint, flags: Flags): string {
  const code = BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(4, '0');
  return flags.sharp ? `U+${code} '${runeText(Number(value))}'` : `U+${code}`;
}
