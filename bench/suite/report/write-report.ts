/** Writes a report in all its forms. */
import { basename } from 'node:path';
import { errorMessage, LackingHereError } from '../../../src/errors.ts';
import { makeDirectories, writeFileAtomic } from '../../../src/linux/files.ts';
import type { Result } from '../schema.ts';
import { CHART_FOLDER, removeOldCharts } from './chart-files.ts';
import type { ChartFiles } from './markdown.ts';
import { type Report, reportOf } from './report.ts';

/** Hears one line on what is left out of a report, and why. */
export type Teller = (line: string) => void;

/**
 * Writes `report.md`, `report.html` and `charts/*.png` into a folder, which is made, each file in one step. Gives their paths.
 * Charts that an earlier report made there, and this one does not, go.
 * Where charts cannot be drawn the rest is written, and `tell` hears why; without one it goes to standard error.
 */
export async function writeReport(result: Result, folder: string, tell?: Teller): Promise<readonly string[]> {
  return await writeReportOf(reportOf(result), folder, tell);
}

/** The same for a report that is worked out already. */
export async function writeReportOf(
  report: Report,
  folder: string,
  tell: Teller = (line) => console.error(line),
): Promise<readonly string[]> {
  const { reportMarkdown } = await import('./markdown.ts');
  const { reportPage } = await import('./html.ts');
  makeDirectories(folder);
  const html = `${folder}/report.html`;
  writeFileAtomic(html, reportPage(report), { mode: 0o644 });
  const charts = await chartsIfAny(report, folder, tell);
  const markdown = `${folder}/report.md`;
  writeFileAtomic(markdown, reportMarkdown(report, charts), { mode: 0o644 });
  const drawn = [...charts.values()].flat().map(({ path }) => `${folder}/${path}`);
  // Only now: until here the Markdown of before shows them.
  removeOldCharts(`${folder}/${CHART_FOLDER}`, new Set(drawn.map((path) => basename(path))));
  return [markdown, html, ...drawn];
}

async function chartsIfAny(report: Report, folder: string, tell: Teller): Promise<ChartFiles> {
  const { drawCharts } = await import('./png.ts');
  try {
    return await drawCharts(report, folder);
  } catch (error) {
    if (!(error instanceof LackingHereError)) throw error;
    tell(errorMessage(error));
    return new Map();
  }
}
