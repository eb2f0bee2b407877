/**
 * How JavaScript values stand for Go values in templates, `printf` and JSON: `null` is nil, an integral number or a
 * bigint is an int, any other number a float64, an array a slice, a plain object a map with string keys. Row contexts
 * of lists and the structs of `inspect` are plain objects too, told apart by the symbols below, because Go prints a
 * struct and looks up its fields differently from a map.
 */

/** Marks a row context: the Go type that error messages name, such as `*formatter.ContainerContext`. */
export const rowType: unique symbol = Symbol('row type');

/** Marks an object that stands for a Go struct read from JSON; the value may be what errors call its type. */
export const jsonStruct: unique symbol = Symbol('struct read from JSON');

/** Marks a map whose values are strings, however few it has: looking up an absent key with `index` gives an empty one. */
export const stringMap: unique symbol = Symbol('map of strings');

/** Marks a map decoded from JSON without knowing its type, in which Docker takes an absent key for a mistake. */
export const strictMap: unique symbol = Symbol('map without absent keys');

/** What the `json` function shows in place of the value that has this. */
export const jsonView: unique symbol = Symbol('as JSON');

/** What looking up an absent map key gives: Go's invalid value, which prints as `<no value>`. */
export const MISSING: unique symbol = Symbol('no value');

/** A float64 whose value is integral, which a JavaScript number cannot tell from an int. */
export class GoFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A value of a type that prints in words of its own: a duration, a time, a nil pointer. */
export class Spelled {
  readonly kind: 'nil' | 'int' | 'struct';
  readonly text: string;
  readonly [jsonView]: number | string | null;

  constructor(kind: 'nil' | 'int' | 'struct', text: string, json: number | string | null) {
    this.kind = kind;
    this.text = text;
    this[jsonView] = json;
  }
}

/** The Go kinds that templates tell apart. `map` includes structs read from JSON, `struct` is a row context. */
export type Kind = 'nil' | 'bool' | 'int' | 'float' | 'string' | 'slice' | 'map' | 'struct' | 'func';

/** The kind of `value`. Absent values are nil. */
export function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float';
    case 'string':
      return 'string';
    case 'function':
      return 'func';
    case 'object':
      break;
    default:
      return 'nil';
  }
  if (value === null) return 'nil';
  if (value instanceof GoFloat) return 'float';
  if (value instanceof Spelled) return value.kind;
  if (Array.isArray(value)) return 'slice';
  return rowType in value ? 'struct' : 'map';
}

/** Whether `value` is an object with named values: a map or a struct. */
export function isKeyed(value: unknown): value is Readonly<Record<string, unknown>> {
  const kind = kindOf(value);
  return kind === 'map' || kind === 'struct';
}

/** Whether a key that `value` does not have is a mistake. */
export function isStrictMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && strictMap in value;
}

/** Whether `value` stands for a Go struct that was read from JSON. */
export function isJsonStruct(value: unknown): boolean {
  return typeof value === 'object' && value !== null && jsonStruct in value;
}

/** What errors call the type of a struct that was read from JSON, where they know. */
export function jsonStructName(value: unknown): string | undefined {
  const isStruct = typeof value === 'object' && value !== null && jsonStruct in value;
  return isStruct && typeof value[jsonStruct] === 'string' ? value[jsonStruct] : undefined;
}

/** The number that an int or float stands for; a bigint is rounded. */
export function numberOf(value: unknown): number {
  if (value instanceof GoFloat) return value.value;
  if (value instanceof Spelled) return Number(value[jsonView]);
  return typeof value === 'bigint' ? Number(value) : typeof value === 'number' ? value : Number.NaN;
}

/** Go's name of the value's type, as errors and `%T` show it. */
export function typeName(value: unknown): string {
  switch (kindOf(value)) {
    case 'nil':
      return '<nil>';
    case 'float':
      return 'float64';
    case 'slice':
      return Array.isArray(value) && value.length > 0 && value.every(isString)
        ? '[]string'
        : '[]interface {}';
    case 'map':
      return isKeyed(value) && isStringMap(value) ? 'map[string]string' : 'map[string]interface {}';
    case 'struct':
      return rowTypeOf(value);
    case 'func':
      return 'func()';
    default:
      return kindOf(value);
  }
}

/** The keys of a map as Go orders them: by their UTF-8 bytes. Keys of a struct keep the order of their declaration. */
export function keysOf(value: Readonly<Record<string, unknown>>): string[] {
  const keys = Object.keys(value);
  return isJsonStruct(value) ? keys : keys.sort(compareBytes);
}

/** Orders strings by their UTF-8 bytes, as Go does (JavaScript compares UTF-16 units). */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const plain = /^[\0-\ud7ff]*$/;
  if (plain.test(a) && plain.test(b)) return a < b ? -1 : 1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function rowTypeOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || !(rowType in value)) return 'struct';
  return typeof value[rowType] === 'string' ? value[rowType] : 'struct';
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isStringMap(value: Readonly<Record<string, unknown>>): boolean {
  if (stringMap in value) return true;
  if (strictMap in value) return false;
  const values = Object.values(value);
  return values.length > 0 && values.every(isString);
}
