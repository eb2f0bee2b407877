/** A report in a few lines, for a terminal. */
import { printablePath } from '../../../src/linux/path.ts';
import { VERDICTS } from './claims/claims.ts';
import { ACROSS, type Report } from './report.ts';

/** What to choose for what, what must be known of it, and how many claims hold. */
export function summaryText({ advice, claims, cautions }: Report): string {
  const lines = [
    ...cautions,
    ...advice.map(({ topic, text }) => `${topic.title}: ${text}`),
    ...(advice.some(({ text }) => text.includes('†')) ? [ACROSS] : []),
    ...VERDICTS.flatMap((verdict) => {
      const own = claims.filter((claim) => claim.verdict === verdict).map(({ number }) => number);
      return own.length === 0 ? [] : [`claims of the literature, ${verdict}: ${own.join(', ')}`];
    }),
  ];
  // Names and errors are somebody else's text.
  return `${lines.map(printablePath).join('\n')}\n`;
}

/** What was written: each file, the charts as one. */
export function writtenText(paths: readonly string[]): string {
  const charts = paths.filter((path) => path.endsWith('.png'));
  const rest = paths.filter((path) => !path.endsWith('.png'));
  const [first] = charts;
  const folder = first?.slice(0, first.lastIndexOf('/')) ?? '';
  return `written: ${[...rest, ...(first === undefined ? [] : [`${charts.length} chart${charts.length === 1 ? '' : 's'} in ${folder}`])].join(', ')}\n`;
}
