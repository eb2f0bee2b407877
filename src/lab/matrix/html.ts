/** A matrix as one page that needs nothing else: no script, style, font or picture from anywhere. */
import { backingsOf, driversOf, namesOf } from './markdown.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import { collectReasons, type Reasons, steadyReason } from './reasons.ts';
import {
  type Backing,
  type Cell,
  type Feature,
  type KernelResult,
  type Matrix,
  STATUSES,
  type Status,
} from './schema.ts';
import { countsText } from './summary.ts';

/** Text as markup: nothing in it is a tag, an entity or the end of an attribute. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (mark) => entities[mark] ?? '');
}

/** JSON inside a script element: nothing in it ends the element. */
function embedded(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** What the dialog shows for a cell or a feature. */
interface Note {
  readonly title: string;
  readonly subtitle: string;
  readonly reasons: readonly string[];
  readonly log: string;
}

const SIGNS: Readonly<Record<Status, string>> = {
  works: '✓',
  limited: '◐',
  refused: '⊘',
  failed: '✗',
  unavailable: '∅',
};

const MEANINGS: Readonly<Record<Status, string>> = {
  works: 'every check passed',
  limited: 'they passed, and the driver says what it does without',
  refused: 'the driver says why it cannot serve',
  failed: 'a check failed',
  unavailable: 'the filesystem cannot be had there',
};

/** Forbids what the page does not need, whatever may have got into it. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The whole page. */
export function matrixPage(matrix: Matrix): string {
  const notes: Note[] = [];
  const reasons = collectReasons(matrix.kernels);
  // The same columns everywhere, so that kernels can be compared by eye.
  const columns = backingsOf(matrix.kernels);
  const sections = matrix.kernels
    .map((kernel) => kernelSection({ kernel, columns, reasons, notes }))
    .join('\n');
  const { version, commit } = matrix.tsengine;
  const build = `tsengine ${version}${commit === '' ? '' : ` (${commit})`}`;
  const cells = matrix.kernels.flatMap((kernel) => kernel.cells);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Storage drivers on kernels and filesystems</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
<h1>Storage drivers on kernels and filesystems</h1>
<p class="faint">${escapeHtml(countsText(cells))}. Made ${escapeHtml(matrix.made)} with ${escapeHtml(build)}, ${
    matrix.slow ? 'all checks' : 'the quick checks'
  }, by <code class="command">${escapeHtml(matrix.command)}</code></p>
<ul class="legend">${STATUSES.map((status) => `<li><b class="${status}">${SIGNS[status]} ${status}</b> ${MEANINGS[status]}</li>`).join('')}</ul>
${filterControls(driversOf(matrix.kernels))}
${sections}
${reasonSection(reasons)}
</main>
<dialog aria-labelledby="dialog-title"><header><div><h2 id="dialog-title">Log of a cell</h2><p class="subtitle faint"></p></div><button type="button" class="close">Close</button></header><div class="body"></div></dialog>
<script type="application/json" id="notes">${embedded(notes)}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function filterControls(drivers: readonly string[]): string {
  const label = (value: string, text: string, checked: boolean): string =>
    `<label><input type="radio" name="driver" value="${escapeHtml(value)}"${checked ? ' checked' : ''}>${escapeHtml(text)}</label>`;
  return `<fieldset class="filter"><legend>Driver</legend>${label('', 'all', true)}${drivers
    .map((driver) => label(driver, driver, false))
    .join('')}</fieldset>`;
}

/** A kernel, and what its part of the page needs to know of the rest. */
interface Part {
  readonly kernel: KernelResult;
  readonly columns: readonly Backing[];
  readonly reasons: Reasons;
  /** Grows by what the part has to show in the dialog. */
  readonly notes: Note[];
}

function kernelSection(part: Part): string {
  const { kernel, columns, notes } = part;
  const { name, release, build, machine, error, bootSeconds, seconds, cells, features } = kernel;
  const boot = bootSeconds === null ? '' : `booted in ${bootSeconds} s, `;
  const facts = `${countsText(cells)}; ${boot}${seconds} s of checks. ${[machine, build].filter((one) => one !== '').join(', ')}`;
  const title = release === '' || release === name ? name : `${name}: ${release}`;
  return `<section class="kernel">
<h2>${escapeHtml(title)}</h2>
<p class="faint">${escapeHtml(facts)}</p>
${error === null ? '' : `<p class="error">It did not run to the end: ${escapeHtml(error)}</p>`}
${cells.length === 0 ? '' : cellTable(part)}
${features.length === 0 ? '' : featureDetails(kernel, columns, notes)}
</section>`;
}

function head(first: string, columns: readonly string[]): string {
  const cells = columns.map((column) => `<th scope="col">${escapeHtml(column)}</th>`).join('');
  return `<thead><tr><th scope="col">${first}</th>${cells}</tr></thead>`;
}

function cellTable({ kernel, columns, reasons, notes }: Part): string {
  const rows = driversOf([kernel]).map((driver) => {
    const cells = columns.map((backing) => {
      const cell = kernel.cells.find((one) => one.driver === driver && one.backing === backing);
      return `<td>${cell === undefined ? '' : cellButton(kernel.name, cell, reasons, notes)}</td>`;
    });
    return `<tr data-driver="${escapeHtml(driver)}"><th scope="row">${escapeHtml(driver)}</th>${cells.join('')}</tr>`;
  });
  return `<div class="scroll"><table class="matrix">${head('driver', columns)}<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function cellButton(kernel: string, cell: Cell, reasons: Reasons, notes: Note[]): string {
  const { driver, backing, status, tests, seconds, log } = cell;
  const run = tests.passed + tests.failed;
  const counted = run === 0 ? [] : [`${tests.passed} of ${run} checks`];
  const excused = tests.excused === 0 ? [] : [`${tests.excused} excused`];
  const number = notes.push({
    title: `${driver} on ${backing}: ${status}`,
    subtitle: [kernel, ...counted, ...excused, `${seconds} s`].join(' · '),
    reasons: cell.reasons.map(steadyReason),
    log,
  });
  const marks = reasons.numbers(cell).map((one) => `[${one}]`);
  const small = [
    ...(run === 0 ? [] : [`${tests.passed}/${run}`]),
    ...marks.slice(0, 3),
    ...(marks.length > 3 ? ['…'] : []),
  ].join(' ');
  return `<button type="button" class="cell ${status}" data-note="${number - 1}" data-backing="${backing}">${SIGNS[status]} ${status}${
    small === '' ? '' : `<small>${small}</small>`
  }</button>`;
}

function featureDetails(
  { name, features }: KernelResult,
  backings: readonly Backing[],
  notes: Note[],
): string {
  const at = (feature: string, backing: Backing | null): string => {
    const found = features.find((one) => one.name === feature && one.backing === backing);
    return `<td>${found === undefined ? '' : answer(name, found, notes)}</td>`;
  };
  const rows = namesOf(features).map(
    (feature) =>
      `<tr><th scope="row">${escapeHtml(feature)}</th>${at(feature, null)}${backings.map((backing) => at(feature, backing)).join('')}</tr>`,
  );
  return `<details><summary>What this kernel can do on each filesystem</summary><div class="scroll"><table class="features">${head(
    'feature',
    ['kernel', ...backings],
  )}<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

function answer(kernel: string, feature: Feature, notes: Note[]): string {
  const { name, backing, reason, died } = feature;
  const word = died === true ? 'died' : feature.answer;
  const shown = word === 'unknown' ? '?' : word;
  if (reason === '') return `<span class="${word}">${shown}</span>`;
  const place = backing === null ? '' : ` on ${backing}`;
  const number = notes.push({
    title: `${name}${place}: ${word}`,
    subtitle: kernel,
    reasons: [reason],
    log: '',
  });
  return `<button type="button" class="answer ${word}" data-note="${number - 1}" title="${escapeHtml(reason)}">${shown}</button>`;
}

function reasonSection(reasons: Reasons): string {
  if (reasons.list.length === 0) return '';
  const items = reasons.list.map(
    ({ number, status, text, where }) =>
      `<li value="${number}"><b>${status}</b>: ${escapeHtml(text)} <span class="where">${escapeHtml(where.join('; '))}</span></li>`,
  );
  return `<section class="kernel"><h2>Reasons</h2><ol class="reasons">${items.join('\n')}</ol></section>`;
}
