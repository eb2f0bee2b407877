/** The tokens of Go's text/template, as its `parse` package (Go 1.19) cuts them. */
import { quote } from '../go/quote.ts';

/** What a token is. `error` is the last one where the text breaks the syntax; its `text` is the message. */
export type TokenKind =
  | 'text'
  | 'leftDelim'
  | 'rightDelim'
  | 'space'
  | 'identifier'
  | 'keyword'
  | 'bool'
  | 'nil'
  | 'dot'
  | 'field'
  | 'variable'
  | 'number'
  | 'char'
  | 'string'
  | 'assign'
  | 'declare'
  | 'pipe'
  | 'leftParen'
  | 'rightParen'
  | 'character'
  | 'error'
  | 'end';

/** A token, and where in the text it starts. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly position: number;
}

const KEYWORDS = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
]);
const RIGHT_DELIM = /\}\}|[ \t\r\n]-\}\}/y;
const SPACE = /[ \t\r\n]+/y;
const WORD = /[\p{L}\p{Nd}_]+/uy;
// After a field or variable only these may follow.
const TERMINATOR = /$|[ \t\r\n.,|:()]|\}\}/y;
const NUMBER =
  /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y;

/** Cuts a template into tokens. Never fails: a mistake is the last token, with Go's message. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let trim = false;
  while (position < source.length) {
    const open = source.indexOf('{{', position);
    let text = source.slice(position, open < 0 ? undefined : open);
    if (trim) text = text.replace(/^[ \t\r\n]+/, '');
    const trimsBefore = open >= 0 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', text, position });
    if (open < 0) break;
    const action = lexAction(source, open, trimsBefore ? open + 4 : open + 2, tokens);
    if (action === undefined) return tokens;
    ({ position, trim } = action);
  }
  tokens.push({ kind: 'end', text: '', position: source.length });
  return tokens;
}

interface After {
  readonly position: number;
  /** Whether the white space that follows is dropped. */
  readonly trim: boolean;
}

/** One `{{…}}`; gives what follows, or `undefined` after an error. */
function lexAction(source: string, open: number, start: number, tokens: Token[]): After | undefined {
  const fail = (text: string, position: number): undefined => {
    tokens.push({ kind: 'error', text, position });
    return undefined;
  };
  if (source.startsWith('/*', start)) {
    const close = source.indexOf('*/', start + 2);
    if (close < 0) return fail('unclosed comment', start);
    const delim = match(RIGHT_DELIM, source, close + 2);
    if (delim === undefined) return fail('comment ends before closing delimiter', start);
    return { position: close + 2 + delim.length, trim: delim.length > 2 };
  }
  tokens.push({ kind: 'leftDelim', text: '{{', position: open });
  let position = start;
  let depth = 0;
  for (;;) {
    const delim = match(RIGHT_DELIM, source, position);
    if (delim !== undefined) {
      if (depth > 0) return fail('unclosed left paren', position);
      tokens.push({ kind: 'rightDelim', text: '}}', position });
      return { position: position + delim.length, trim: delim.length > 2 };
    }
    const token = lexOne(source, position);
    tokens.push(token);
    if (token.kind === 'error') return undefined;
    if (token.kind === 'leftParen') depth += 1;
    if (token.kind === 'rightParen') depth -= 1;
    position += token.text.length;
  }
}

function lexOne(source: string, position: number): Token {
  const make = (kind: TokenKind, text: string): Token => ({ kind, text, position });
  const char = source.charAt(position);
  if (char === '') return make('error', 'unclosed action');
  const space = match(SPACE, source, position);
  if (space !== undefined) return lexSpace(source, position, space);
  if (source.startsWith(':=', position)) return make('declare', ':=');
  if (char === ':') return make('error', 'expected :=');
  if (char === '"' || char === "'" || char === '`') return lexQuoted(source, position, char);
  const next = source.charAt(position + 1);
  if (char === '$' || (char === '.' && next !== '' && !/[0-9]/.test(next)))
    return lexName(source, position, char);
  if (/[+\-.0-9]/.test(char)) return lexNumber(source, position);
  const word = match(WORD, source, position);
  if (word !== undefined) return lexWord(source, position, word);
  const kind = SINGLE.get(char);
  if (kind !== undefined) return make(kind, char);
  if (char > ' ' && char < '\x7f') return make('character', char);
  return make('error', `unrecognized character in action: ${unicodeName(source, position)}`);
}

const SINGLE = new Map<string, TokenKind>([
  ['=', 'assign'],
  ['|', 'pipe'],
  ['(', 'leftParen'],
  [')', 'rightParen'],
]);

/** A run of white space, without the last one where that belongs to a ` -}}`. */
function lexSpace(source: string, position: number, space: string): Token {
  const trims = source.startsWith('-}}', position + space.length) && space.length > 1;
  return { kind: 'space', text: trims ? space.slice(0, -1) : space, position };
}

function lexQuoted(source: string, position: number, mark: string): Token {
  const pattern =
    mark === '`' ? /`[^`]*`/y : mark === '"' ? /"(?:[^"\\\n]|\\[^\n])*"/y : /'(?:[^'\\\n]|\\[^\n])*'/y;
  const text = match(pattern, source, position);
  if (text !== undefined) return { kind: mark === "'" ? 'char' : 'string', text, position };
  const what = mark === "'" ? 'character constant' : mark === '`' ? 'raw quoted string' : 'quoted string';
  return { kind: 'error', text: `unterminated ${what}`, position };
}

/** A field `.name`, the dot, or a variable `$name`. */
function lexName(source: string, position: number, mark: string): Token {
  const word = match(WORD, source, position + 1) ?? '';
  const after = position + 1 + word.length;
  if (match(TERMINATOR, source, after) === undefined) {
    return { kind: 'error', text: `bad character ${unicodeName(source, after)}`, position };
  }
  if (mark === '$') return { kind: 'variable', text: mark + word, position };
  return { kind: word === '' ? 'dot' : 'field', text: mark + word, position };
}

function lexNumber(source: string, position: number): Token {
  let text = match(NUMBER, source, position) ?? '';
  const rest = position + text.length;
  const bad = match(/[\p{L}\p{Nd}_]/uy, source, rest);
  if (bad !== undefined || /^[+-]/.test(source.slice(rest, rest + 1))) {
    text += bad ?? source.slice(rest, rest + 1);
    return { kind: 'error', text: `bad number syntax: ${quote(text)}`, position };
  }
  return { kind: 'number', text, position };
}

function lexWord(source: string, position: number, word: string): Token {
  const after = position + word.length;
  if (match(TERMINATOR, source, after) === undefined) {
    return { kind: 'error', text: `bad character ${unicodeName(source, after)}`, position };
  }
  const kind = KEYWORDS.has(word)
    ? 'keyword'
    : word === 'true' || word === 'false'
      ? 'bool'
      : word === 'nil'
        ? 'nil'
        : undefined;
  return { kind: kind ?? 'identifier', text: word, position };
}

function unicodeName(source: string, position: number): string {
  const code = source.codePointAt(position) ?? 0;
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  const char = String.fromCodePoint(code);
  return /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(char) ? `${name} '${char}'` : name;
}

function match(pattern: RegExp, source: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(source)?.[0];
}
