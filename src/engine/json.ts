/** JSON as Go writes it, and JSON from outside read so that an error names the file and the field. */
import * as z from 'zod/mini';
import { TsengineError } from '../errors.ts';
import { jsonErrorPosition } from './json-position.ts';

/** `Config.Env[3]` for a path into a JSON value. */
function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
}

/** What an issue says. zod/mini comes without texts of its own, to be small. */
function issueText(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'unrecognized_keys':
      return `unknown key ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
    case 'invalid_union':
      return 'none of the forms that are allowed here';
    default:
      return issue.message.replace(/^Invalid input: /, '');
  }
}

/** What a schema found wrong first, in one line: `field "Config.Env": expected array`. */
export function schemaMessage(error: z.core.$ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'does not have the right form';
  const text = issueText(issue);
  return issue.path.length === 0 ? text : `field "${fieldName(issue.path)}": ${text}`;
}

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
