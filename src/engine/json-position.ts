/**
 * Where JSON text stops being JSON. V8 says it for some errors only, and people look for a comma in a file of a hundred
 * lines. Grammar: RFC 8259. Depth is bounded by the call stack, which a text that V8 refused may exhaust: no harm then.
 */

const SPACE = /[ \t\n\r]*/y;
// Control characters are refused below, by hand.
const SCALAR =
  /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Thrown inside this file only. */
class Stop extends Error {
  readonly at: number;
  constructor(at: number) {
    super();
    this.at = at;
  }
}

function skip(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at;
  return pattern.exec(text) === null ? -1 : pattern.lastIndex;
}

function afterSpace(text: string, at: number): number {
  return skip(text, at, SPACE);
}

/** The end of the value that begins at `at`. */
function value(text: string, start: number): number {
  const at = afterSpace(text, start);
  const open = text[at];
  if (open === '{' || open === '[') return members(text, at + 1, open === '{');
  const end = skip(text, at, SCALAR);
  if (end < 0) throw new Stop(at);
  for (let index = at; index < end; index++) {
    if (text.charCodeAt(index) < 0x20) throw new Stop(index);
  }
  return end;
}

function members(text: string, start: number, keyed: boolean): number {
  const close = keyed ? '}' : ']';
  let at = afterSpace(text, start);
  if (text[at] === close) return at + 1;
  for (;;) {
    if (keyed) {
      if (text[at] !== '"') throw new Stop(at);
      at = afterSpace(text, value(text, at));
      if (text[at] !== ':') throw new Stop(at);
      at += 1;
    }
    at = afterSpace(text, value(text, at));
    if (text[at] === close) return at + 1;
    if (text[at] !== ',') throw new Stop(at);
    at = afterSpace(text, at + 1);
  }
}

/** The index of the first character that cannot be there; the text's length when it ends too early. */
export function jsonErrorPosition(text: string): number {
  try {
    return afterSpace(text, value(text, 0));
  } catch (error) {
    return error instanceof Stop ? error.at : 0;
  }
}
