/** Go's string literals: `strconv.Quote` and `strconv.Unquote`. */

const NAMED = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
]);

// Go calls printable what is a letter, mark, number, punctuation, symbol or the ASCII space.
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/**
 * The Go string literal of `text` in double quotes. What is not printable is escaped; with `ascii`, also all that is
 * not ASCII.
 */
export function quote(text: string, ascii = false): string {
  return `"${escapeAll(text, '"', ascii)}"`;
}

/** The Go character literal of a code point; what is not one gives U+FFFD. */
export function quoteRune(code: number, ascii = false): string {
  return `'${escapeAll(runeText(code), "'", ascii)}'`;
}

/** The text of a code point; what is not one gives U+FFFD. */
export function runeText(code: number): string {
  const valid = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return valid ? String.fromCodePoint(code) : '\ufffd';
}

/** Whether `text` can be written between back quotes unchanged. */
export function canBackquote(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Go forbids exactly these in raw strings.
  return !/[\0-\x08\x0a-\x1f\x7f`\ufeff]/.test(text);
}

function escapeAll(text: string, mark: string, ascii: boolean): string {
  let out = '';
  for (const char of text.toWellFormed()) {
    const code = char.codePointAt(0) ?? 0;
    const named = NAMED.get(char);
    if (char === mark || char === '\\') out += `\\${char}`;
    else if (code < 0x7f ? code >= 0x20 : !ascii && PRINTABLE.test(char)) out += char;
    else if (named !== undefined) out += named;
    else if (code < 0x20 || code === 0x7f) out += `\\x${hex(code, 2)}`;
    else out += code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  }
  return out;
}

/** The text of a Go literal in double quotes, back quotes or single quotes; `undefined` where it breaks the syntax. */
export function unquote(literal: string): string | undefined {
  const mark = literal.at(0);
  if (literal.length < 2 || literal.at(-1) !== mark) return undefined;
  const body = literal.slice(1, -1);
  if (mark === '`') return body.includes('`') ? undefined : body.replaceAll('\r', '');
  if (mark !== '"' && mark !== "'") return undefined;
  const bytes: Buffer[] = [];
  const pattern =
    /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|[^\\]/gsuy;
  while (pattern.lastIndex < body.length) {
    const match = pattern.exec(body);
    if (match === null || match[0] === mark || match[0] === '\n') return undefined;
    const piece = unescapeOne(match, mark);
    if (piece === undefined) return undefined;
    bytes.push(piece);
  }
  return Buffer.concat(bytes).toString();
}

const SIMPLE = new Map([...NAMED].map(([char, written]) => [written.slice(1), char]));

function unescapeOne(match: RegExpExecArray, mark: string): Buffer | undefined {
  const [whole, simple, byte, octal, short, long] = match;
  if (simple !== undefined) {
    if ((simple === '"' || simple === "'") && simple !== mark) return undefined;
    return Buffer.from(SIMPLE.get(simple) ?? simple);
  }
  const single =
    byte !== undefined ? Number.parseInt(byte, 16) : octal !== undefined ? Number.parseInt(octal, 8) : -1;
  // In a character literal, \xNN is the code point NN; in a string, it is that byte.
  if (single >= 0) return mark === "'" ? Buffer.from(runeText(single)) : Buffer.of(single);
  const code = short ?? long;
  if (code === undefined) return Buffer.from(whole);
  const point = Number.parseInt(code, 16);
  return runeText(point) === '\ufffd' && point !== 0xfffd ? undefined : Buffer.from(runeText(point));
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
