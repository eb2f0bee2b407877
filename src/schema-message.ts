/** What zod says, for people: its mini edition comes without texts. */
import type * as z from 'zod/mini';

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
