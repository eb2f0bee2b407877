/** Go's `time.Parse` for the few layouts that Docker uses, with its error messages. */
import { TsengineError } from '../../errors.ts';

/** The fields of a layout: what stands for them, and the range of values. */
const FIELDS = [
  { name: 'year', layout: '2006', least: 0, most: 9999 },
  { name: 'month', layout: '01', least: 1, most: 12 },
  { name: 'day', layout: '02', least: 1, most: 31 },
  { name: 'hour', layout: '15', least: 0, most: 23 },
  { name: 'minute', layout: '04', least: 0, most: 59 },
  { name: 'second', layout: '05', least: 0, most: 59 },
] as const;

const ELEMENT = /2006|01|02|15|04|05|Z07:00|[^0-9Z]/y;

/**
 * Reads `value` by a layout such as `2006-01-02T15:04:05Z07:00`, in local time where the layout has no zone. After
 * the seconds a fraction may follow. Gives nanoseconds since 1970; throws InvalidParameter with Go's text.
 */
export function parseTime(value: string, layout: string): bigint {
  const fields: Record<string, number> = {};
  let rest = value;
  let nanoseconds = 0n;
  let offset: number | undefined;
  const pattern = new RegExp(ELEMENT);
  for (let match = pattern.exec(layout); match !== null; match = pattern.exec(layout)) {
    const [element] = match;
    const cannot = (part: string): never => {
      return fail(
        value,
        ` as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(part)} as ${JSON.stringify(element)}`,
      );
    };
    const field = FIELDS.find((candidate) => candidate.layout === element);
    if (field !== undefined) {
      const digits = rest.slice(0, element.length);
      if (!/^\d+$/.test(digits) || digits.length < element.length) return cannot(rest);
      fields[field.name] = Number(digits);
      rest = rest.slice(element.length);
      if (Number(digits) < field.least || Number(digits) > field.most)
        fail(value, `: ${field.name} out of range`);
      if (field.name === 'second') [nanoseconds, rest] = takeFraction(rest);
    } else if (element === 'Z07:00') {
      const zone = /^(?:Z|([+-])(\d\d):(\d\d))/.exec(rest) ?? cannot(rest);
      offset =
        zone[1] === undefined ? 0 : (Number(zone[2]) * 60 + Number(zone[3])) * (zone[1] === '-' ? -1 : 1);
      rest = rest.slice(zone[0].length);
    } else if (rest.startsWith(element)) rest = rest.slice(1);
    else return cannot(rest);
  }
  if (rest !== '') fail(value, `: extra text: ${JSON.stringify(rest)}`);
  return BigInt(milliseconds(value, fields, offset)) * 1_000_000n + nanoseconds;
}

/** A fraction of a second after a point or a comma, of which nine digits count. */
function takeFraction(rest: string): [bigint, string] {
  const match = /^[.,](\d+)/.exec(rest);
  const [whole, digits] = match ?? ['', ''];
  return [BigInt((digits ?? '').slice(0, 9).padEnd(9, '0')), rest.slice(whole.length)];
}

function milliseconds(
  value: string,
  fields: Readonly<Record<string, number>>,
  offset: number | undefined,
): number {
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) fail(value, ': day out of range');
  if (offset !== undefined) {
    date.setUTCHours(hour, minute - offset, second);
    return date.getTime();
  }
  const local = new Date(0);
  local.setFullYear(year, month - 1, day);
  local.setHours(hour, minute, second, 0);
  return local.getTime();
}

function fail(value: string, message: string): never {
  throw new TsengineError('InvalidParameter', `parsing time ${JSON.stringify(value)}${message}`);
}
