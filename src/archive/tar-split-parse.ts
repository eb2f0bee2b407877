import * as z from 'zod/mini';
import { TsengineError } from '../errors.ts';
import { once } from '../once.ts';
import type { FileLine, SegmentLine } from './tar-split-entry.ts';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const LINE = once(() =>
  z.object({
    type: z.literal([1, 2]),
    name: z.optional(z.string()),
    name_raw: z.optional(z.string().check(z.regex(BASE64))),
    size: z.optional(z.int().check(z.nonnegative())),
    payload: z.nullable(z.string()),
    position: z.int(),
  }),
);

/**
 * Reads line number `position` (from 0) of the file that `where` names. Throws `Corrupt` for JSON that is none, a
 * field of the wrong kind, or a position that shows that lines are missing.
 */
export function parseLine(json: string, position: number, where: string): FileLine | SegmentLine {
  const line = LINE().safeParse(parseJson(json, position, where));
  if (!line.success) {
    const issue = line.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    throw corruptLine(where, position, `${field === '' ? '' : `${field}: `}${issue?.message ?? 'invalid'}`);
  }
  const { type, name, name_raw: nameRaw, size = 0, payload } = line.data;
  if (line.data.position !== position)
    throw corruptLine(where, position, `position is ${line.data.position}`);
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
  return new TsengineError('Corrupt', `corrupt tar-split data: ${where}: entry ${position}: ${reason}`, {
    cause,
  });
}
