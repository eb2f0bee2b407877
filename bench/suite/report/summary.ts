/** A report in a few lines, for a terminal. */
import { printablePath } from '../../../src/linux/path.ts';
import { VERDICTS } from './claims/claims.ts';
import { ACROSS, type Report, verdictCounts } from './report.ts';
import { disturbedText } from './words.ts';

/** What to choose for what, what must be known of it, and which claims hold. */
export function summaryText(report: Report): string {
  const { advice, engines, claims, cautions } = report;
  const lines = [
    ...cautions,
    ...(advice.length === 0 ? [] : ['What to choose for what:']),
    ...advice.map((one) => `  ${one.topic.title}: ${one.brief}${disturbedText(one)}`),
    ...(advice.some(({ text }) => text.includes('†')) ? [ACROSS] : []),
    ...(engines.length === 0 ? [] : ['Beside other engines:']),
    ...engines.map(({ topic, text }) => `  ${topic.title}: ${text}`),
    `What the literature says: ${verdictCounts(report)}`,
    ...VERDICTS.flatMap((verdict) => {
      const own = claims.filter((claim) => claim.verdict === verdict);
      // Without a verdict there is nothing to say but which they are.
      if (verdict === 'not measurable here')
        return own.length === 0 ? [] : [`  ${verdict}: ${own.map(({ number }) => number).join(', ')}`];
      return own.map(({ number, title, depends }) => {
        const also = depends === '' ? '' : `. ${depends}`;
        return `  ${verdict}: ${number}. ${title}${also}`;
      });
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
