/** Go's `fmt.Sprintf`, `Sprint` and `Sprintln` on the values of `values.ts`. */
import { formatFloat } from './float.ts';
import { type Flags, formatInteger, formatString, noFlags, pad } from './printf-leaf.ts';
import { quote } from './quote.ts';
import { GoFloat, isJsonStruct, isKeyed, keysOf, kindOf, numberOf, Spelled, typeName } from './values.ts';

const DIRECTIVE =
  /%([-+# 0]*)(?:\[(\d+)\])?(\*|\d+)?(?:(\.)(?:\[(\d+)\])?(\*|\d+)?)?(?:\[(\d+)\])?([\s\S])?/gu;

/**
 * Formats as Go's `fmt.Sprintf` does, with its marks for mistakes (`%!d(string=x)`, `%!s(MISSING)`, `%!(EXTRA …)`).
 * Hexadecimal and binary floats and complex numbers are not supported and come out as such a mistake.
 */
export function sprintf(format: string, args: readonly unknown[]): string {
  let next = 0;
  let reordered = false;
  const take = (index: string | undefined): { readonly value: unknown } | undefined => {
    if (index !== undefined) {
      next = Number(index) - 1;
      reordered = true;
    }
    if (next < 0 || next >= args.length) return undefined;
    next += 1;
    return { value: args[next - 1] };
  };
  const out = format.replace(DIRECTIVE, (_whole, ...groups: (string | undefined)[]) => {
    const [signs = '', index1, width, dot, index2, precision, index3, verb] = groups;
    const flags: Flags = { ...parseFlags(signs) };
    let index = index1;
    let mistakes = '';
    if (width === '*') {
      const size = intArgument(take(index));
      index = undefined;
      if (size === undefined) mistakes += '%!(BADWIDTH)';
      else if (size < 0) Object.assign(flags, { minus: true, zero: false, width: -size });
      else flags.width = size;
    } else if (width !== undefined) flags.width = Number(width);
    if (dot !== undefined) {
      const size = precision === '*' ? intArgument(take(index2)) : Number(precision ?? 0);
      if (size === undefined || size < 0) mistakes += '%!(BADPREC)';
      else flags.precision = size;
    }
    if (verb === undefined) return `${mistakes}%!(NOVERB)`;
    if (verb === '%') return '%';
    const argument = take(index3 ?? (precision === '*' ? undefined : index2) ?? index);
    if (argument === undefined) {
      const bad = index3 !== undefined || index !== undefined || index2 !== undefined;
      return `${mistakes}%!${verb}(${bad ? 'BADINDEX' : 'MISSING'})`;
    }
    return mistakes + formatArgument(argument.value, verb, flags);
  });
  if (reordered || next >= args.length) return out;
  const extra = args.slice(next).map((value) => {
    return kindOf(value) === 'nil' ? '<nil>' : `${typeName(value)}=${formatValue(value)}`;
  });
  return `${out}%!(EXTRA ${extra.join(', ')})`;
}

/** Go's `fmt.Sprint`: a space between two values when neither is a string. */
export function sprint(args: readonly unknown[]): string {
  let out = '';
  args.forEach((value, index) => {
    if (index > 0 && typeof value !== 'string' && typeof args[index - 1] !== 'string') out += ' ';
    out += formatValue(value);
  });
  return out;
}

/** Go's `fmt.Sprintln`: all values with spaces between, and a newline. */
export function sprintln(args: readonly unknown[]): string {
  return `${args.map((value) => formatValue(value)).join(' ')}\n`;
}

/** The value as `%v` shows it: `[a b]`, `map[k:v]`, `{a b}` for a struct, `<nil>`. */
export function formatValue(value: unknown): string {
  return formatArgument(value, 'v', noFlags());
}

function parseFlags(signs: string): Flags {
  return {
    minus: signs.includes('-'),
    plus: signs.includes('+'),
    sharp: signs.includes('#'),
    space: signs.includes(' '),
    // Zeros never pad on the right.
    zero: signs.includes('0') && !signs.includes('-'),
    width: undefined,
    precision: undefined,
  };
}

function intArgument(argument: { readonly value: unknown } | undefined): number | undefined {
  return kindOf(argument?.value) === 'int' ? numberOf(argument?.value) : undefined;
}

function formatArgument(value: unknown, verb: string, flags: Flags): string {
  const kind = kindOf(value);
  if (verb === 'T') return formatString(typeName(value), 's', flags) ?? '';
  if (kind === 'nil') return verb === 'v' ? pad('<nil>', flags) : `%!${verb}(<nil>)`;
  return formatAny(value, verb, flags);
}

function formatAny(value: unknown, verb: string, flags: Flags): string {
  if (value instanceof Spelled && (verb === 'v' || verb === 's')) return pad(value.text, flags);
  if (value instanceof Spelled && value.kind === 'int') return formatAny(numberOf(value), verb, flags);
  switch (kindOf(value)) {
    case 'slice':
      return Array.isArray(value) ? formatSlice(value, verb, flags) : '';
    case 'map':
    case 'struct':
      return isKeyed(value) ? formatKeyed(value, verb, flags) : '';
    case 'nil':
      return verb === 'v' ? pad('<nil>', flags) : `%!${verb}(<nil>)`;
    default:
      return formatLeaf(value, verb, flags) ?? badVerb(value, verb, flags);
  }
}

function formatLeaf(value: unknown, verb: string, given: Flags): string | undefined {
  // In %+v the plus asks for field names, not for signs.
  const flags = verb === 'v' ? { ...given, plus: false } : given;
  if (typeof value === 'boolean') return verb === 't' || verb === 'v' ? pad(String(value), flags) : undefined;
  if (typeof value === 'string') return formatString(value, verb, flags);
  if (typeof value === 'function') return verb === 'v' ? pad('func()', flags) : undefined;
  if (typeof value === 'bigint') return formatInteger(value, verb, flags);
  if (typeof value === 'number' && Number.isInteger(value)) return formatInteger(BigInt(value), verb, flags);
  if (typeof value === 'number' || value instanceof GoFloat) return formatReal(numberOf(value), verb, flags);
  return undefined;
}

function formatReal(value: number, verb: string, flags: Flags): string | undefined {
  const lower = verb.toLowerCase();
  if (verb !== 'v' && lower !== 'e' && lower !== 'f' && lower !== 'g') return undefined;
  const form = lower === 'e' || lower === 'f' ? lower : 'g';
  let text = formatFloat(value, form, flags.precision ?? (form === 'g' ? -1 : 6));
  if (verb !== lower) text = text.toUpperCase();
  const signed = /^[+-]/.test(text);
  if (!signed && (flags.plus || flags.space)) text = (flags.plus ? '+' : ' ') + text;
  if (!flags.zero || flags.width === undefined) return pad(text, flags);
  const sign = /^[+ -]/.test(text) ? text.slice(0, 1) : '';
  return sign + text.slice(sign.length).padStart(flags.width - sign.length, '0');
}

function badVerb(value: unknown, verb: string, flags: Flags): string {
  return `%!${verb}(${typeName(value)}=${formatAny(value, 'v', { ...flags, plus: false, sharp: false })})`;
}

function formatSlice(items: readonly unknown[], verb: string, flags: Flags): string {
  const shown = items.map((item) => formatAny(item, verb, flags));
  return verb === 'v' && flags.sharp ? `${typeName(items)}{${shown.join(', ')}}` : `[${shown.join(' ')}]`;
}

function formatKeyed(value: Readonly<Record<string, unknown>>, verb: string, flags: Flags): string {
  const keys = keysOf(value);
  const member = (key: string) => formatAny(value[key], verb, flags);
  const sharp = verb === 'v' && flags.sharp;
  if (kindOf(value) === 'struct' || isJsonStruct(value)) {
    const named = sharp || (verb === 'v' && flags.plus);
    const shown = keys.map((key) => (named ? `${key}:${member(key)}` : member(key)));
    return sharp ? `struct {${shown.join(', ')}}` : `{${shown.join(' ')}}`;
  }
  if (sharp) return `${typeName(value)}{${keys.map((key) => `${quote(key)}:${member(key)}`).join(', ')}}`;
  return `map[${keys.map((key) => `${formatAny(key, verb, flags)}:${member(key)}`).join(' ')}]`;
}
