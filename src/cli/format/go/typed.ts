/**
 * JSON of Docker's API as the Go values that the client makes of it: structs with all their fields, under Go's names, and
 * the zero values of what the JSON leaves out. `Struct` describes one: a line a field, `Name[:JsonName] type`, where a type
 * is `string` (the default), `int`, `bool`, `any`, `duration`, `time`, a struct's name, or `*`, `[]` or `map ` and a type.
 */
import { jsonStruct, jsonView, Spelled, stringMap } from './values.ts';

/** Structs by name. */
export type Structs = Readonly<Record<string, readonly string[]>>;

/** Gives a struct, or whatever else the type says, read from JSON. */
export type Reader = (type: string, value: unknown) => unknown;

/**
 * A reader for these structs. What a value is as JSON is kept with it: `asJson` makes it of the JSON value, for the
 * `json` function of templates.
 */
export function typedReader(structs: Structs, asJson: (value: unknown) => unknown): Reader {
  const read = (type: string, value: unknown): unknown => {
    if (type.startsWith('*')) {
      return value === undefined || value === null
        ? new Spelled('nil', '<nil>', null)
        : read(type.slice(1), value);
    }
    if (type.startsWith('[]')) return withJson(readList(type.slice(2), value), value);
    if (type.startsWith('map ')) return withJson(readMap(type.slice(4), value), value);
    const fields = structs[type];
    return fields === undefined ? scalar(type, value) : withJson(readStruct(fields, value), value);
  };
  const withJson = (made: object, value: unknown): object => {
    const keep = (key: symbol, it: unknown) => Object.defineProperty(made, key, { value: it });
    return keep(jsonView, value === undefined || value === null ? null : asJson(value));
  };
  const readList = (type: string, value: unknown): unknown[] =>
    Array.isArray(value) ? value.map((item: unknown) => read(type, item)) : [];
  const readMap = (type: string, value: unknown): object => {
    const made = Object.fromEntries(entriesOf(value).map(([key, item]) => [key, read(type, item)]));
    return type === 'string' ? Object.defineProperty(made, stringMap, { value: true }) : made;
  };
  const readStruct = (fields: readonly string[], value: unknown): object => {
    const known = new Map(entriesOf(value));
    const made: Record<string, unknown> = {};
    for (const field of fields) {
      const [names = '', ...type] = field.split(' ');
      const [name = '', json = name] = names.split(':');
      made[name] = read(type.length === 0 ? 'string' : type.join(' '), known.get(json));
    }
    return Object.defineProperty(made, jsonStruct, { value: true });
  };
  return read;
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function scalar(type: string, value: unknown): unknown {
  switch (type) {
    case 'string':
      return value ?? '';
    case 'int':
      return value ?? 0;
    case 'bool':
      return value ?? false;
    case 'duration':
      return durationOf(typeof value === 'number' ? value : 0);
    case 'time':
      return timeOf(typeof value === 'string' ? value : '0001-01-01T00:00:00Z');
    default:
      return value ?? null;
  }
}

const NANOSECONDS = { h: 3_600_000_000_000, m: 60_000_000_000, s: 1_000_000_000 } as const;
const SMALL = [
  [1_000_000, 'ms'],
  [1000, 'µs'],
  [1, 'ns'],
] as const;

/** A time.Duration, which prints as `1m30s`. */
function durationOf(nanoseconds: number): Spelled {
  return new Spelled('int', durationText(nanoseconds), nanoseconds);
}

function durationText(nanoseconds: number): string {
  const size = Math.abs(nanoseconds);
  const sign = nanoseconds < 0 ? '-' : '';
  if (size === 0) return '0s';
  const small = size < NANOSECONDS.s ? SMALL.find(([unit]) => size >= unit) : undefined;
  if (small !== undefined) return `${sign}${size / small[0]}${small[1]}`;
  const hours = Math.floor(size / NANOSECONDS.h);
  const minutes = Math.floor((size % NANOSECONDS.h) / NANOSECONDS.m);
  const seconds = (size % NANOSECONDS.m) / NANOSECONDS.s;
  const hourText = hours > 0 ? `${hours}h` : '';
  const minuteText = hours > 0 || minutes > 0 ? `${minutes}m` : '';
  return `${sign}${hourText}${minuteText}${seconds}s`;
}

/** A time.Time, which prints as `2026-11-23 10:00:00.5 +0000 UTC`. */
function timeOf(text: string): Spelled {
  const [, day = '', time = '', zone = ''] = /^([^T]*)T([\d:.]+)(.*)$/.exec(text) ?? [];
  const offset = zone === 'Z' ? '+0000 UTC' : `${zone.replace(':', '')} ${zone.replace(':', '')}`;
  return new Spelled('struct', `${day} ${time} ${offset}`, text);
}
