/** Go's `encoding/json` output, which differs from `JSON.stringify` in escapes and in the order of keys. */
import { GoFloat, isKeyed, jsonView, keysOf, kindOf } from './values.ts';

/**
 * The JSON text of `value` in one line. Map keys are sorted, struct fields keep their order. As in Docker's `json`
 * function `<`, `>` and `&` stay, except inside rows of lists, whose own encoder writes them as `\u003c` and so on.
 * Methods that take arguments are left out.
 */
export function marshalJson(value: unknown): string {
  return marshal(value, false);
}

function marshal(value: unknown, escapeHtml: boolean): string {
  if (typeof value === 'object' && value !== null && jsonView in value)
    return marshal(value[jsonView], escapeHtml);
  if (typeof value === 'string') return encodeString(value, escapeHtml);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'number' || value instanceof GoFloat) return encodeNumber(value);
  if (Array.isArray(value)) return `[${value.map((item) => marshal(item, escapeHtml)).join(',')}]`;
  if (!isKeyed(value)) return 'null';
  const html = escapeHtml || kindOf(value) === 'struct';
  const members: string[] = [];
  for (const key of keysOf(value)) {
    const member = value[key];
    if (typeof member === 'function' || member === undefined) continue;
    members.push(`${encodeString(key, html)}:${marshal(member, html)}`);
  }
  return `{${members.join(',')}}`;
}

function encodeNumber(value: number | GoFloat): string {
  const number = value instanceof GoFloat ? value.value : value;
  return Number.isFinite(number) ? JSON.stringify(number).replace(/e-(\d)$/, 'e-0$1') : 'null';
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes exactly these.
const PLAIN = /["\\\0-\x1f\u2028\u2029]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes exactly these.
const HTML = /["\\\0-\x1f\u2028\u2029<>&]/g;

function encodeString(text: string, escapeHtml: boolean): string {
  return `"${text.toWellFormed().replace(escapeHtml ? HTML : PLAIN, escapeChar)}"`;
}

function escapeChar(char: string): string {
  switch (char) {
    case '"':
    case '\\':
      return `\\${char}`;
    case '\n':
      return '\\n';
    case '\r':
      return '\\r';
    case '\t':
      return '\\t';
    default:
      return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  }
}
