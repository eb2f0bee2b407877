/** One record of comma-separated values, as Go's encoding/csv reads it. */
import { TsengineError } from '../../errors.ts';

/**
 * The fields of the first record in `text`. A field in double quotes may hold commas, line ends and quotes written
 * twice. Throws InvalidParameter with Go's messages: `EOF` where there is no record, `parse error on line 1, column 9:
 * bare " in non-quoted-field` (columns count bytes from 1).
 */
export function parseCsvRecord(text: string): string[] {
  // Empty lines before the record do not count, and neither does what follows it.
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const first = lines.findIndex((line) => line !== '');
  if (first < 0) throw new TsengineError('InvalidParameter', 'EOF');
  const record = lines.slice(first).join('\n');
  const fields: string[] = [];
  let position = 0;
  for (;;) {
    const field =
      record[position] === '"'
        ? quotedField(record, position, first + 1)
        : plainField(record, position, first + 1);
    fields.push(field.value);
    if (record[field.end] !== ',') return fields;
    position = field.end + 1;
  }
}

interface Field {
  readonly value: string;
  /** Where the comma, the line's end or the text's end stands. */
  readonly end: number;
}

function plainField(record: string, start: number, line: number): Field {
  const [value] = /[^,\n]*/.exec(record.slice(start)) ?? [''];
  const mark = value.indexOf('"');
  if (mark >= 0) fail(record, start + mark, line, 'bare " in non-quoted-field');
  return { value, end: start + value.length };
}

function quotedField(record: string, start: number, line: number): Field {
  let position = start + 1;
  for (;;) {
    const mark = record.indexOf('"', position);
    if (mark < 0) return fail(record, record.length, line, 'extraneous or missing " in quoted-field');
    const next = record[mark + 1];
    if (next === '"') position = mark + 2;
    else if (next === undefined || next === ',' || next === '\n') {
      return { value: record.slice(start + 1, mark).replaceAll('""', '"'), end: mark + 1 };
    } else return fail(record, mark, line, 'extraneous or missing " in quoted-field');
  }
}

function fail(record: string, position: number, firstLine: number, message: string): never {
  const before = record.slice(0, position);
  const line = firstLine + before.split('\n').length - 1;
  const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1)) + 1;
  throw new TsengineError('InvalidParameter', `parse error on line ${line}, column ${column}: ${message}`);
}
