/** JSON as Go writes it, and JSON from outside read so that an error names the file and the field. */
import * as z from 'zod/mini';
import { TsengineError } from '../errors.ts';
import { schemaMessage } from '../schema-message.ts';
import { jsonErrorPosition } from './json-position.ts';

/** Parses JSON text that came from `source` (a file's path, `manifest.json in the archive`). Fails with `Corrupt`, or with `code`. */
export function parseJson<T>(
  text: string | Buffer,
  schema: z.ZodMiniType<T>,
  source: string,
  code: 'Corrupt' | 'InvalidParameter' = 'Corrupt',
): T {
  const result = z.safeParse(schema, parseJsonText(text, source, code));
  if (result.success) return result.data;
  throw new TsengineError(code, `${source}: ${schemaMessage(result.error)}`, { cause: result.error });
}

/** Parses JSON text into whatever it holds; a syntax error names `source`, line and column. */
export function parseJsonText(
  text: string | Buffer,
  source: string,
  code: 'Corrupt' | 'InvalidParameter' = 'Corrupt',
): unknown {
  const string = typeof text === 'string' ? text : text.toString('utf8');
  try {
    return JSON.parse(string);
  } catch (error) {
    const at = jsonErrorPosition(string);
    const before = string.slice(0, at).split('\n');
    const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    const what = at === string.length ? 'the text ends here' : `unexpected ${JSON.stringify(string[at])}`;
    throw new TsengineError(code, `${source}: not JSON at ${where}: ${what}`, { cause: error });
  }
}

/** What a JSON text holds; `undefined` when it is none, such as a file of which a crash left half. */
export function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * JSON text as Go's encoding/json writes it: the same as JavaScript's, but `<`, `>`, `&` and the two line separators
 * are escaped. Keys stay in the order they have. Source: `json.HTMLEscape` of Go's documentation.
 */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
