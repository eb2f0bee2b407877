/** A path as the kernel sees it: bytes without NUL. Strings are encoded as UTF-8. */
export type BytePath = string | Buffer;

/** The path as a NUL-terminated C string. Throws `TypeError` when it contains a NUL byte, which no kernel path can. */
export function cString(path: BytePath): Buffer {
  if (typeof path === 'string') {
    if (path.includes('\0')) throw new TypeError(`path contains a NUL byte: ${JSON.stringify(path)}`);
    return Buffer.from(`${path}\0`, 'utf8');
  }
  if (path.includes(0)) throw new TypeError(`path contains a NUL byte: ${printablePath(path)}`);
  const copy = Buffer.allocUnsafe(path.length + 1);
  path.copy(copy);
  copy[path.length] = 0;
  return copy;
}

/** The path as bytes, without a terminating NUL. */
export function pathBytes(path: BytePath): Buffer {
  return typeof path === 'string' ? Buffer.from(path, 'utf8') : path;
}

/** Characters that turn the direction in which those behind them are shown: a name with one passes for another. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** The path for people: UTF-8 where it is, other bytes and control characters as `\xNN`, those that turn the direction as `\u{NNNN}`. */
export function printablePath(path: BytePath): string {
  const bytes = pathBytes(path);
  const text = bytes.toString('utf8');
  const faithful = Buffer.from(text, 'utf8').equals(bytes);
  const source = faithful ? text : bytes.toString('latin1');
  let out = '';
  for (const char of source) {
    const code = char.codePointAt(0) ?? 0;
    const plain = code >= 0x20 && code !== 0x7f && (faithful ? !(code >= 0x80 && code < 0xa0) : code < 0x80);
    const hex = code.toString(16).padStart(2, '0');
    if (faithful && TURNS.test(char)) out += `\\u{${hex}}`;
    else out += plain ? char : `\\x${hex}`;
  }
  return out;
}

/** Joins a directory and one relative name, keeping bytes that are not UTF-8. */
export function joinPath(dir: BytePath, name: BytePath): BytePath {
  if (typeof dir === 'string' && typeof name === 'string') return `${dir}/${name}`;
  return Buffer.concat([pathBytes(dir), Buffer.from('/'), pathBytes(name)]);
}
