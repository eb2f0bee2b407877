/**
 * The lines of a `tar-split.json.gz`: one JSON object each, in the order of the archive, as github.com/vbatts/tar-split
 * (`tar/storage`) writes them and Docker keeps them beside a layer. Type 1 stands for a member's content, to be read
 * from the layer's directory again; type 2 holds raw bytes of the archive in base64.
 */
import { isUtf8 } from 'node:buffer';
import * as z from 'zod/mini';
import { TsengineError } from '../errors.ts';

/** A line that stands for a file's content. */
export interface FileLine {
  readonly type: 'file';
  /** As the archive wrote it, with a directory's slash. */
  readonly name: Buffer;
  /** Bytes of content; 0 for everything that has none. */
  readonly size: number;
  /** CRC-64/ISO of the content, eight bytes; `undefined` when there is none. */
  readonly sum: Buffer | undefined;
}

/** A line that holds bytes of the archive. */
export interface SegmentLine {
  readonly type: 'segment';
  readonly bytes: Buffer;
}

/** The JSON of a segment, without a newline. */
export function segmentJson(bytes: Buffer, position: number): string {
  return `{"type":2,"payload":"${bytes.toString('base64')}","position":${position}}`;
}

/** The JSON of a file, with Go's field order: names that are not UTF-8 go to `name_raw`, a size of 0 is left out. */
export function fileJson(line: FileLine, position: number): string {
  const { name, size, sum } = line;
  const named = isUtf8(name)
    ? `"name":${goString(name.toString('utf8'))}`
    : `"name_raw":"${name.toString('base64')}"`;
  const payload = sum === undefined ? 'null' : `"${sum.toString('base64')}"`;
  const sized = size === 0 ? '' : `"size":${size},`;
  return `{"type":1,${name.length === 0 ? '' : `${named},`}${sized}"payload":${payload},"position":${position}}`;
}

/** What Go's encoding/json escapes and JSON.stringify does not, or in another way (Go 1.19, which Docker 20.10 is built with). */
const GO_ESCAPES: Record<string, string> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
  '\\b': '\\u0008',
  '\\f': '\\u000c',
};

function goString(text: string): string {
  const json = JSON.stringify(text);
  if (!/[<>&\u2028\u2029\\]/.test(json)) return json;
  // Escapes are matched whole, so that the end of one (`\\`) is not taken for the start of another.
  return json.replaceAll(/\\.|[<>&\u2028\u2029]/g, (found) => GO_ESCAPES[found] ?? found);
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const LINE = z.object({
  type: z.literal([1, 2]),
  name: z.optional(z.string()),
  name_raw: z.optional(z.string().check(z.regex(BASE64))),
  size: z.optional(z.int().check(z.nonnegative())),
  payload: z.nullable(z.string()),
  position: z.int(),
});

/**
 * Reads line number `position` (from 0) of the file that `where` names. Throws `Corrupt` for JSON that is none, a
 * field of the wrong kind, or a position that shows that lines are missing.
 */
export function parseLine(json: string, position: number, where: string): FileLine | SegmentLine {
  const line = LINE.safeParse(parseJson(json, position, where));
  if (!line.success) {
    const issue = line.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    throw corruptLine(where, position, `${field === '' ? '' : `${field}: `}${issue?.message ?? 'invalid'}`);
  }
  const { type, name, name_raw: nameRaw, size = 0, payload } = line.data;
  if (line.data.position !== position) throw corruptLine(where, position, `position is ${line.data.position}`);
  const bytes = decode(payload ?? '', position, where);
  if (type === 2) return { type: 'segment', bytes };
  if (size > 0 && bytes.length !== 8) throw corruptLine(where, position, 'payload is not a checksum');
  const decoded = nameRaw === undefined ? Buffer.from(name ?? '', 'utf8') : Buffer.from(nameRaw, 'base64');
  return { type: 'file', name: decoded, size, sum: bytes.length === 0 ? undefined : bytes };
}

function parseJson(json: string, position: number, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw corruptLine(where, position, 'not JSON', cause);
  }
}

function decode(base64: string, position: number, where: string): Buffer {
  const bytes = Buffer.from(base64, 'base64');
  // Buffer passes over what is not base64; the length gives it away.
  const pads = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  if (base64.length % 4 !== 0 || bytes.length !== (base64.length / 4) * 3 - pads) {
    throw corruptLine(where, position, 'payload: not base64');
  }
  return bytes;
}

function corruptLine(where: string, position: number, reason: string, cause?: unknown): TsengineError {
  return new TsengineError('Corrupt', `corrupt tar-split data: ${where}: entry ${position}: ${reason}`, { cause });
}
