/** The functions that templates may call: Go's own and those that Docker adds. */
import { marshalJson } from '../go/json.ts';
import { formatValue, sprint, sprintf, sprintln } from '../go/printf.ts';
import { isKeyed, kindOf, MISSING, numberOf, typeName } from '../go/values.ts';
import { compare, isEqual } from './compare.ts';

/** The Go type of a parameter; `strings` is `[]string`. */
export type Parameter = 'any' | 'string' | 'int' | 'strings';

/** A function with the types that its arguments are checked against. `call` throws an `Error` with Go's words. */
export interface TemplateFunction {
  readonly parameters: readonly Parameter[];
  /** The type of any number of further arguments. */
  readonly rest?: Parameter;
  readonly call: (...args: readonly unknown[]) => unknown;
  /** Stops at the first argument that is true (`or`) or false (`and`), evaluating no more. */
  readonly shortCircuit?: 'and' | 'or';
}

/** Go's notion of truth: not zero, not empty, not nil. A struct is true unless it is one from JSON without fields. */
export function isTrue(value: unknown): boolean {
  switch (kindOf(value)) {
    case 'nil':
      return false;
    case 'bool':
      return value === true;
    case 'int':
    case 'float':
      return numberOf(value) !== 0;
    case 'string':
      return value !== '';
    case 'slice':
      return Array.isArray(value) && value.length > 0;
    case 'map':
      return isKeyed(value) && Object.keys(value).length > 0;
    default:
      return true;
  }
}

function define(
  parameters: readonly Parameter[],
  call: (...args: readonly unknown[]) => unknown,
  rest?: Parameter,
): TemplateFunction {
  return rest === undefined ? { parameters, call } : { parameters, call, rest };
}

/** A function from strings to something, its arguments already checked. */
function ofStrings(count: number, call: (...args: readonly string[]) => unknown): TemplateFunction {
  return define(new Array<Parameter>(count).fill('string'), (...args) => call(...args.map(String)));
}

const GO_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ['and', { parameters: ['any'], rest: 'any', shortCircuit: 'and', call: (...args) => args.at(-1) }],
  ['or', { parameters: ['any'], rest: 'any', shortCircuit: 'or', call: (...args) => args.at(-1) }],
  ['not', define(['any'], (value) => !isTrue(value))],
  ['call', define(['any'], callValue, 'any')],
  ['index', define(['any'], (item, ...keys) => keys.reduce(indexOne, item), 'any')],
  ['slice', define(['any'], sliceValue, 'any')],
  ['len', define(['any'], lengthOf)],
  ['print', define([], (...args) => sprint(args), 'any')],
  ['printf', define(['string'], (format, ...args) => sprintf(String(format), args), 'any')],
  ['println', define([], (...args) => sprintln(args), 'any')],
  ['html', define([], (...args) => escapeHtml(sprint(args)), 'any')],
  ['js', define([], (...args) => escapeJs(sprint(args)), 'any')],
  ['urlquery', define([], (...args) => escapeQuery(sprint(args)), 'any')],
  ['eq', define(['any'], (first, ...others) => isEqual(first, others), 'any')],
  ['ne', define(['any', 'any'], (a, b) => !isEqual(a, [b]))],
  ['lt', define(['any', 'any'], (a, b) => compare(a, b) < 0)],
  ['le', define(['any', 'any'], (a, b) => compare(a, b) <= 0)],
  ['gt', define(['any', 'any'], (a, b) => compare(a, b) > 0)],
  ['ge', define(['any', 'any'], (a, b) => compare(a, b) >= 0)],
];

const DOCKER_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ['json', define(['any'], (value) => marshalJson(value))],
  ['split', ofStrings(2, (text, by) => (by === '' ? [...(text ?? '')] : (text ?? '').split(by ?? '')))],
  [
    'join',
    define(['strings', 'string'], (items, by) => (Array.isArray(items) ? items.join(String(by)) : '')),
  ],
  [
    'title',
    ofStrings(1, (text = '') => text.replaceAll(/(?<![\p{L}\p{N}_'])\p{L}/gu, (char) => char.toUpperCase())),
  ],
  ['lower', ofStrings(1, (text = '') => text.toLowerCase())],
  ['upper', ofStrings(1, (text = '') => text.toUpperCase())],
  ['pad', define(['string', 'int', 'int'], padSpaces)],
  ['truncate', define(['string', 'int'], (text, size) => cutBytes(String(text), 0, numberOf(size)))],
];

/** All functions of `--format`. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map([
  ...GO_FUNCTIONS,
  ...DOCKER_FUNCTIONS,
]);

/** The same for the header line of a table, where Docker's own functions leave the heading as it is. */
export const HEADER_FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map([
  ...GO_FUNCTIONS,
  ...DOCKER_FUNCTIONS.map(([name, { parameters }]): readonly [string, TemplateFunction] => {
    return [name, define(['string', ...parameters.slice(1)], (text) => text)];
  }),
]);

function padSpaces(text: unknown, before: unknown, after: unknown): string {
  if (text === '') return '';
  return ' '.repeat(Math.max(numberOf(before), 0)) + String(text) + ' '.repeat(Math.max(numberOf(after), 0));
}

/** Go counts bytes. A character cut in two shows as U+FFFD. */
function cutBytes(text: string, start: number, end: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= end && start === 0 ? text : bytes.subarray(start, Math.max(end, 0)).toString();
}

function callValue(target: unknown): never {
  if (target === null || target === undefined) throw new Error('call of nil');
  throw new Error(`non-function of type ${typeName(target)}`);
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isKeyed(value) && kindOf(value) === 'map') return Object.keys(value).length;
  throw new Error(kindOf(value) === 'nil' ? 'len of nil pointer' : `len of type ${typeName(value)}`);
}

function indexOne(item: unknown, key: unknown): unknown {
  if (kindOf(item) === 'nil') throw new Error('index of untyped nil');
  if (isKeyed(item) && kindOf(item) === 'map') {
    if (typeof key !== 'string') throw new Error(`value has type ${typeName(key)}; should be string`);
    return Object.hasOwn(item, key) ? item[key] : zeroOf(typeName(item));
  }
  if (!Array.isArray(item) && typeof item !== 'string')
    throw new Error(`can't index item of type ${typeName(item)}`);
  const items: readonly unknown[] = typeof item === 'string' ? [...Buffer.from(item)] : item;
  const index = indexNumber(key, items.length);
  // Go looks at the capacity first, and reflection finds the rest.
  if (index === items.length) {
    throw new Error(`reflect: ${typeof item === 'string' ? 'string' : 'slice'} index out of range`);
  }
  return items[index];
}

/** What an absent key of a map gives: the zero value of the map's values. */
function zeroOf(mapType: string): unknown {
  return mapType === 'map[string]string' ? '' : MISSING;
}

function indexNumber(key: unknown, last: number): number {
  if (kindOf(key) === 'nil') throw new Error('cannot index slice/array with nil');
  if (kindOf(key) !== 'int') throw new Error(`cannot index slice/array with type ${typeName(key)}`);
  const index = numberOf(key);
  if (index < 0 || index > last) throw new Error(`index out of range: ${formatValue(key)}`);
  return index;
}

function sliceValue(item: unknown, ...keys: readonly unknown[]): unknown {
  if (kindOf(item) === 'nil') throw new Error('slice of untyped nil');
  if (keys.length > 3) throw new Error(`too many slice indexes: ${keys.length}`);
  if (typeof item !== 'string' && !Array.isArray(item))
    throw new Error(`can't slice item of type ${typeName(item)}`);
  if (typeof item === 'string' && keys.length === 3) throw new Error('cannot 3-index slice a string');
  const size = typeof item === 'string' ? Buffer.byteLength(item) : item.length;
  const [start = 0, end = size, capacity = size] = keys.map((key) => indexNumber(key, size));
  if (start > end) throw new Error(`invalid slice index: ${start} > ${end}`);
  if (end > capacity) throw new Error(`invalid slice index: ${end} > ${capacity}`);
  return typeof item === 'string'
    ? Buffer.from(item).subarray(start, end).toString()
    : item.slice(start, end);
}

const HTML_ESCAPES = new Map([
  ['\0', '\ufffd'],
  ['"', '&#34;'],
  ["'", '&#39;'],
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
]);

function escapeHtml(text: string): string {
  return text.replaceAll(/[\0"'&<>]/g, (char) => HTML_ESCAPES.get(char) ?? char);
}

function escapeJs(text: string): string {
  return text.replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|[\\'"<>&=]/gu, (char) => {
    if (char === '\\' || char === "'" || char === '"') return `\\${char}`;
    return `\\u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  });
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
