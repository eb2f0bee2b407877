/**
 * Dockerfile text as instructions: comments, continuation lines, flags, and the JSON form of arguments. What `--change`
 * of `import` and `commit` takes. Source: the Dockerfile reference; words and corner cases from Docker 20.10.24.
 */
import { TsengineError } from '../../../errors.ts';
import { jsonErrorPosition } from '../../json-position.ts';

/** One instruction. */
export interface Instruction {
  /** In lower case. */
  readonly name: string;
  /** `--name=value` and `--name` before the arguments, as written. */
  readonly flags: readonly string[];
  /** What follows, trimmed. */
  readonly rest: string;
}

/** An `InvalidParameter` error. */
export function invalid(message: string): never {
  throw new TsengineError('InvalidParameter', message);
}

/** Splits text into instructions. Fails on text without any, in Docker's words. */
export function parseInstructions(text: string): Instruction[] {
  const out: Instruction[] = [];
  let pending: string | undefined;
  for (const line of text.split('\n')) {
    const isComment = /^\s*#/.test(line);
    if (isComment || (pending !== undefined && line.trim() === '')) continue;
    const open = /\\[ \t]*$/.exec(line);
    const kept = open === null ? line : line.slice(0, open.index);
    const body = pending === undefined ? kept.trimStart() : pending + kept;
    pending = open === null ? undefined : body;
    if (open === null && body.trim() !== '') out.push(parseInstruction(body));
  }
  if (pending !== undefined && pending.trim() !== '') out.push(parseInstruction(pending));
  if (out.length === 0) invalid('file with no instructions');
  return out;
}

function parseInstruction(line: string): Instruction {
  const [, name = '', after = ''] = /^\s*(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
  const flags: string[] = [];
  let rest = after.trim();
  // `--` ends the flags.
  for (let match = /^--(\S*)\s*/.exec(rest); match !== null; match = /^--(\S*)\s*/.exec(rest)) {
    rest = rest.slice(match[0].length);
    if (match[1] === '') break;
    flags.push(match[0].trim());
  }
  return { name: name.toLowerCase(), flags, rest };
}

/** The flags' values by name. Fails on one that is not in `known`, has no value, or is there twice. */
export function flagValues(flags: readonly string[], known: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const flag of flags) {
    const [, name = '', value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(flag) ?? [];
    if (!known.includes(name)) invalid(`Unknown flag: ${name}`);
    if (values.has(name)) invalid(`Duplicate flag specified: ${name}`);
    values.set(name, value ?? invalid(`Missing a value on flag: ${name}`));
  }
  return values;
}

/** Arguments written as a JSON list of strings; `undefined` when they are not JSON. What follows the list is not looked at. */
export function jsonList(rest: string): string[] | undefined {
  if (!rest.startsWith('[')) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(rest.slice(0, jsonErrorPosition(rest)));
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  return list.map((item: unknown) =>
    typeof item === 'string'
      ? item
      : invalid('when using JSON array syntax, arrays must be comprised of strings only'),
  );
}

/** Arguments as Docker's `CMD` and its kin take them: a JSON list as it is, anything else for the shell. */
export function commandLine(rest: string): string[] {
  const list = jsonList(rest);
  if (list !== undefined) return list;
  return rest === '' ? ['/bin/sh', '-c'] : ['/bin/sh', '-c', rest];
}
