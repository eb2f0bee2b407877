/** Cells of lists: shortened texts, commands, ids, times. */
import { humanDuration } from '../../engine/text/duration.ts';
import { quote } from './go/quote.ts';
import { runeWidth } from './rune-width.ts';

/**
 * Cuts `text` to `width` columns of a terminal, the last of them `…`. Wide characters (East Asian Width W and F) take
 * two.
 */
export function ellipsis(text: string, width: number): string {
  if (width <= 0) return '';
  if (text.length <= width && /^[\x20-\x7e]*$/.test(text)) return text;
  const runes = [...text];
  if (width === 1) return runes[0] ?? '';
  const widths = runes.map(runeWidth);
  if (widths.reduce((sum, each) => sum + each, 0) <= width) return text;
  let used = 0;
  const kept = widths.findIndex((each) => {
    used += each;
    return used > width - 1;
  });
  return `${runes.slice(0, kept).join('')}…`;
}

/** The COMMAND column: the command in Go's double quotes, cut to 20 columns before quoting unless `full`. */
export function commandCell(command: string, full = false): string {
  return quote(full ? command : ellipsis(command, 20));
}

/** The first 12 digits of an id, without its algorithm (`sha256:`). */
export function shortId(id: string): string {
  return id.slice(id.indexOf(':') + 1).slice(0, 12);
}

/** The longest time that Go can tell, in seconds: 2^63 - 1 nanoseconds. Docker shows no older images than that. */
const MAX_DURATION = 9_223_372_036;

/** `2 hours ago`, from seconds since 1970 (both). */
export function agoText(created: number, now: number): string {
  return `${humanDuration(Math.min(now - created, MAX_DURATION))} ago`;
}

/** The CreatedAt field, local time as Go prints it: `2026-11-22 05:33:54 +0000 UTC`. Takes seconds since 1970. */
export function createdAtText(created: number): string {
  const date = new Date(created * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  const offset = `${minutes < 0 ? '-' : '+'}${two(Math.trunc(size / 60))}${two(size % 60)}`;
  return `${day} ${time} ${offset} ${zoneName(date, offset)}`;
}

/** Made once, when it is first needed: it is slow to make. */
let zoneFormat: Intl.DateTimeFormat | undefined;

/** The zone's letters where JavaScript knows them; else the offset, as Go shows zones that have no letters. */
function zoneName(date: Date, offset: string): string {
  zoneFormat ??= new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' });
  const name = zoneFormat.formatToParts(date).find((part) => part.type === 'timeZoneName')?.value ?? '';
  return /^[A-Z]{3,5}$/.test(name) ? name : offset.replace(/00$/, '');
}
