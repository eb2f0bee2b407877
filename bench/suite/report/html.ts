/** A report as one page that needs nothing else: no script, style, font or picture from anywhere. */

import { escapeHtml } from '../../../src/lab/matrix/html.ts';
import { shellWord } from '../../../src/linux/command.ts';
import { GROUPS } from '../schema.ts';
import { type ChartGroup, toRaw } from './charts.ts';
import type { ClaimVerdict, Finding } from './claims/claims.ts';
import { type Figure, type Point, pointKey } from './figures.ts';
import { looksOf } from './looks.ts';
import { machineFacts, SUBJECT_HEAD, subjectFacts } from './markdown.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import { claimCommand, repeatCommand, topicCommand } from './repeat.ts';
import {
  ACROSS,
  FINDING_SIGNS,
  harnessText,
  lastedText,
  machineLines,
  marksOf,
  NO_TIME,
  READING,
  type Report,
  SIGNS,
  startedText,
  TITLE,
  verdictCounts,
} from './report.ts';
import { betterWord, pointText, rangeText, scaleText, scaleTitle, valueText } from './wording.ts';
import { type Advice, disturbedText } from './words.ts';

/** JSON inside a script element: nothing in it ends the element. */
function embedded(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** Forbids what the page does not need, whatever may have got into it. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The whole page. */
export function reportPage(report: Report): string {
  const { result, cautions } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE}</title>
<style>${PAGE_STYLE}${colours(report)}</style>
</head>
<body>
<main>
<h1>${TITLE}</h1>
${machineLines(report)
  .map((line) => `<p>${escapeHtml(line)}</p>`)
  .join('\n')}
<p class="faint">Measured ${escapeHtml(startedText(result))} in ${lastedText(result)} with tsengine ${escapeHtml(result.tsengine)}, by <code class="command">${escapeHtml(result.command)}</code></p>
${cautions.length === 0 ? '' : `<ul class="cautions">${cautions.map((one) => `<li>${escapeHtml(one)}</li>`).join('')}</ul>`}
${advicePart(report)}
${enginePart(report)}
<h2>What the literature says</h2>
<p>Of what is said of these drivers elsewhere ${escapeHtml(verdictCounts(report))}. <span class="faint">${SIGNS}</span></p>
<div class="panel"><table class="claims"><thead><tr><th>#</th><th>claim</th><th>verdict</th><th>figures</th><th>what would change it</th></tr></thead><tbody>
${report.claims.map((claim) => claimRow(report, claim)).join('\n')}
</tbody></table></div>
<h2>Figures</h2>
<p class="faint">${escapeHtml([READING, harnessText(report)].join(' '))}</p>
${filters(report)}
<noscript><p>The charts are drawn by a script; all their figures are in the tables.</p></noscript>
${GROUPS.map((group) => groupSection(report, group)).join('\n')}
<h2>What was measured</h2>
${measuredPart(report)}
</main>
<div id="tip" role="status" hidden></div>
<script type="application/json" id="data">${embedded(chartData(report))}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

/** The colours of subjects as variables of the page: the script names them, and paper has the light ones. */
function colours({ result }: Report): string {
  const looks = looksOf(result.subjects);
  const all = (which: 'light' | 'dark'): string =>
    `:root{${looks.map((look, index) => `--s${index}:${look[which]}`).join(';')}}`;
  return `${all('light')}\n@media screen and (prefers-color-scheme: dark){${all('dark')}}\n`;
}

function advicePart({ result, advice }: Report): string {
  const list = advice
    .map((one) => {
      const flag = disturbedText(one);
      const disturbed = flag === '' ? '' : `<span class="faint">${escapeHtml(flag)}</span>`;
      return `<div><dt>${escapeHtml(one.topic.title)}</dt><dd>${choiceBadge(one)}<p>${escapeHtml(one.brief)}${disturbed}</p>${again(topicCommand(result, one.topic), one.text === one.brief ? '' : one.text)}</dd></div>`;
    })
    .join('\n');
  const none = '<p>No two drivers were measured at the same.</p>';
  const across = advice.some(({ text }) => text.includes('†')) ? `<p class="faint">${ACROSS}</p>` : '';
  return `<h2>What to choose for what</h2>
<div class="panel">${advice.length === 0 ? none : `<dl class="advice">${list}</dl>`}${across}</div>`;
}

/** Our drivers beside the same ones of other engines. */
function enginePart({ result, engines }: Report): string {
  if (engines.length === 0) return '';
  const list = engines.map(
    ({ topic, text }) =>
      `<div><dt>${escapeHtml(topic.title)}</dt><dd class="plain"><p>${escapeHtml(text)}</p>${again(topicCommand(result, topic))}</dd></div>`,
  );
  return `<h2>Beside other engines</h2>
<div class="panel"><dl class="advice">${list.join('\n')}</dl></div>`;
}

/** What to choose, in a word or two. */
function choiceBadge({ choice, answer }: Advice): string {
  const words = {
    better: choice,
    perhaps: `perhaps ${choice}`,
    equal: 'all equal',
    few: 'too few turns',
    open: 'no difference shown',
  }[answer];
  const sort = answer === 'better' ? 'holds' : answer === 'perhaps' ? 'maybe' : 'open';
  return `<b class="verdict ${sort}">${escapeHtml(words)}</b>`;
}

function again(command: string, all = ''): string {
  const whole = all === '' ? '' : `<p>${escapeHtml(all)}</p>`;
  return `<details class="again"><summary>${all === '' ? '' : 'all, '}command</summary>${whole}<code class="command">${escapeHtml(command)}</code></details>`;
}

/** More figures than this are shown on demand. */
const SHOWN = 6;

function claimRow(report: Report, claim: ClaimVerdict): string {
  const { number, verdict, figures, change, depends, standIn } = claim;
  const [sort, sign] =
    verdict === 'holds' ? ['holds', '✓'] : verdict === 'does not hold' ? ['fails', '✗'] : ['open', '∅'];
  const items = (list: readonly Finding[]): string =>
    list.length === 0
      ? ''
      : `<ul>${list.map(({ answer, text }) => `<li class="is-${answer}">${FINDING_SIGNS[answer]} ${escapeHtml(text)}</li>`).join('')}</ul>`;
  const more = figures.slice(SHOWN);
  const rest =
    more.length === 0 ? '' : `<details><summary>${more.length} more</summary>${items(more)}</details>`;
  const asides = [depends, standIn]
    .filter((one) => one !== '')
    .map((one) => `<p class="faint">${escapeHtml(one)}</p>`);
  return `<tr><td>${number}</td><td>${escapeHtml(claim.claim)}</td><td><span class="verdict ${sort}">${sign} ${verdict}</span></td><td>${items(figures.slice(0, SHOWN))}${rest}${asides.join('')}</td><td>${escapeHtml(change)}${again(claimCommand(report.result, claim))}</td></tr>`;
}

function filters(report: Report): string {
  const groups = GROUPS.filter((group) => report.groups.some(({ workload }) => workload.group === group));
  const radio = (value: string, words: string): string =>
    `<label><input type="radio" name="group" value="${value}"${value === '' ? ' checked' : ''}>${words}</label>`;
  const boxes = report.result.subjects.map(
    (subject, index) =>
      `<label><input type="checkbox" name="subject" value="${index}" checked><svg data-swatch="${index}" viewBox="0 0 34 16" aria-hidden="true"></svg>${escapeHtml(report.name(subject))}</label>`,
  );
  return `<form class="filters"><fieldset><legend>Group</legend>${radio('', 'all')}${groups.map((group) => radio(group, group)).join('')}</fieldset>
<fieldset><legend>Driver</legend>${boxes.join('')}</fieldset></form>`;
}

function groupSection(report: Report, group: string): string {
  const own = report.groups.flatMap((one, index) =>
    one.workload.group === group ? [card(report, one, index)] : [],
  );
  if (own.length === 0) return '';
  return `<section data-group="${group}"><h2>${group}</h2><div class="cards">${own.join('\n')}</div></section>`;
}

function card(report: Report, group: ChartGroup, index: number): string {
  const { workload, charts } = group;
  const options = charts.map(
    ({ rest }, at) => `<option value="${at}">${escapeHtml(pointText(rest))}</option>`,
  );
  const choice = charts.length < 2 ? '' : `<label>at <select>${options.join('')}</select></label>`;
  const [only] = charts;
  const at = charts.length === 1 && only !== undefined ? pointText(only.rest) : '';
  const facts = [at, betterWord(workload)].filter((one) => one !== '').join('; ');
  return `<article class="card" data-workload="${index}">
<h3>${escapeHtml(workload.title)}</h3>
<p class="faint"><code>${escapeHtml(workload.id)}</code>, ${escapeHtml(facts)}</p>
${choice}
<div class="plot"></div>
<output hidden><span></span><code></code></output>
<details><summary>All figures, and the command that repeats them</summary>${figureTable(report, group)}<code class="command">${escapeHtml(repeatCommand(report.result, workload.id))}</code></details>
</article>`;
}

function figureTable(report: Report, { charts }: ChartGroup): string {
  const figures = charts.flatMap((chart) => chart.figures);
  const subjects = report.result.subjects.flatMap((subject, index) =>
    figures.some((figure) => figure.subject === subject) ? [{ subject, index }] : [],
  );
  const points = new Map<string, Point>(figures.map(({ point }) => [pointKey(point), point]));
  const byPlace = new Map(
    figures.map((figure) => [`${figure.subject.id} ${pointKey(figure.point)}`, figure]),
  );
  const head = subjects.map(
    ({ subject, index }) =>
      `<th scope="col" data-subject="${index}">${escapeHtml(report.name(subject))}</th>`,
  );
  const rows = [...points].map(([key, point]) => {
    // The ends of cells and rows go without saying, and there are thousands.
    const cells = subjects.map(({ subject }) => {
      const figure = byPlace.get(`${subject.id} ${key}`);
      return `<td>${figure === undefined ? '' : figureCell(figure)}`;
    });
    return `<tr><th scope="row">${escapeHtml(pointText(point))}</th>${cells.join('')}`;
  });
  const wide = subjects.length > 5 ? ' wide' : '';
  return `<div class="scroll${wide}"><table class="figures"><thead><tr><th></th>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function figureCell(figure: Figure): string {
  const { median, values, workload, error } = figure;
  const failed = error === undefined ? '' : `<span class="failed">failed: ${escapeHtml(error)}</span>`;
  if (values.length === 0) return figure.isLate ? `<span class="faint">${NO_TIME}</span>` : failed;
  const { unit } = workload;
  return `<b>${valueText(median.value, unit)}${marksOf(figure)}</b><small>${rangeText(median, unit)}</small>${failed}`;
}

function measuredPart({ result, name }: Report): string {
  const cells = (tag: 'th' | 'td', list: readonly string[]): string =>
    list.map((one) => `<${tag}>${escapeHtml(one)}</${tag}>`).join('');
  const rows = result.subjects.map(
    (subject) => `<tr>${cells('td', [name(subject), ...subjectFacts(subject)])}</tr>`,
  );
  const machines = result.machines.map(
    (machine) =>
      `<div class="panel"><h3>${escapeHtml(machine.id)}</h3><table class="facts"><tbody>${machineFacts(
        machine,
      )
        .map((row) => `<tr>${cells('td', row)}</tr>`)
        .join('')}</tbody></table></div>`,
  );
  return `<div class="panel"><div class="scroll"><table class="facts"><thead><tr>${cells('th', SUBJECT_HEAD)}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div></div>
<div class="machines">${machines.join('\n')}</div>`;
}

/** So many digits as are shown, and more than a chart can show. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

/**
 * What the script draws. Arrays, not objects, for each figure: there are thousands. What is in the tables as text it takes from
 * there.
 */
function chartData(report: Report): unknown {
  const { result, figures, groups } = report;
  const looks = looksOf(result.subjects);
  const subjects = new Map(result.subjects.map((subject, index) => [subject, index]));
  const again = (index: number): string => {
    // The command without the workload, which the script adds.
    const command = repeatCommand(result, 'W', result.subjects[index]);
    return command.slice(0, -1);
  };
  const row = (figure: Figure, scale: string | undefined, line: number): unknown[] => {
    const { value, low, high } = figure.median;
    const raw = toRaw(figures, figure);
    return [
      ...[subjects.get(figure.subject), scale === undefined ? 0 : (figure.point[scale] ?? 0), line],
      ...[value, low, high].map((one) => rounded(one)),
      ...[figure.samples, figure.values.length],
      ...(raw === undefined ? [] : [raw.value, raw.low, raw.high].map((one) => rounded(one))),
    ];
  };
  return {
    subjects: result.subjects.map((subject, index) => ({
      id: subject.id,
      name: report.name(subject),
      shape: looks[index]?.shape,
      dash: looks[index]?.dash,
      again: again(index),
    })),
    workloads: groups.map(({ workload, scale, values, charts }) => {
      const lines = new Map(
        [...new Set(charts.flatMap((chart) => chart.figures).map(({ point }) => pointKey(point)))].map(
          (key, line) => [key, line],
        ),
      );
      return {
        unit: workload.unit,
        word: shellWord(workload.id),
        scale: scale === undefined ? '' : scaleTitle(scale),
        values,
        labels: values.map((value) => scaleText(scale ?? '', value)),
        charts: charts.map((chart) =>
          chart.figures
            .filter((figure) => figure.values.length > 0)
            .map((figure) => row(figure, scale, lines.get(pointKey(figure.point)) ?? 0)),
        ),
      };
    }),
  };
}
