/** A report as Markdown: what a repository or an issue shows. */
import { escapeMarkdown as escapeLine } from '../../../src/lab/matrix/markdown.ts';
import { GROUPS, type Machine, type Subject } from '../schema.ts';
import type { ChartGroup } from './charts.ts';
import { type Figure, type Point, pointKey } from './figures.ts';
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
  samplesText,
  startedText,
  TITLE,
  verdictCounts,
} from './report.ts';
import { betterWord, bytesText, figureText, oneLine, pointText } from './wording.ts';
import { disturbedText } from './words.ts';

/** The paths of charts by the ids of their workloads, with what each shows, relative to the document. */
export type ChartFiles = ReadonlyMap<string, readonly { readonly title: string; readonly path: string }[]>;

/** The whole document. */
export function reportMarkdown(report: Report, charts: ChartFiles): string {
  const { result, advice, engines, claims, cautions } = report;
  const parts = [
    `# ${TITLE}`,
    `Measured ${escapeMarkdown(startedText(result))} in ${lastedText(result)} with tsengine ${escapeMarkdown(result.tsengine)} on ${machineLines(report).map(escapeMarkdown).join('; ')}, by:`,
    codeBlock(result.command),
    ...(cautions.length === 0 ? [] : [bullets(cautions.map(escapeMarkdown))]),
    '## What to choose for what',
    advice.length === 0
      ? 'No two drivers were measured at the same.'
      : bullets(
          advice.map(
            (one) =>
              `**${escapeMarkdown(one.topic.title)}**: ${escapeMarkdown(`${one.text}${disturbedText(one)}`)}`,
          ),
        ),
    ...(advice.some(({ text }) => text.includes('†')) ? [ACROSS] : []),
    ...(advice.length === 0
      ? []
      : ['The commands that repeat them:', codeList(advice.map(({ topic }) => topicCommand(result, topic)))]),
    ...(engines.length === 0
      ? []
      : [
          '## Beside other engines',
          bullets(
            engines.map(({ topic, text }) => `**${escapeMarkdown(topic.title)}**: ${escapeMarkdown(text)}`),
          ),
        ]),
    '## What the literature says',
    `${verdictCounts(report)}. ${SIGNS}`,
    table(
      ['', 'claim', 'verdict', 'figures', 'what would change it'],
      claims.map(({ number, claim, verdict, figures, change, depends, standIn }) => {
        const found = figures.map(({ answer, text }) => `${FINDING_SIGNS[answer]} ${text}`).join('; ');
        return [
          String(number),
          escapeMarkdown(claim),
          `**${verdict}**`,
          [found, depends, standIn]
            .filter((one) => one !== '')
            .map(escapeMarkdown)
            .join(' '),
          escapeMarkdown(change),
        ];
      }),
    ),
    'The commands that repeat them:',
    codeList(claims.map((claim) => claimCommand(result, claim))),
    '## Figures',
    escapeMarkdown([READING, harnessText(report)].join(' ').trim()),
    ...GROUPS.flatMap((group) => groupPart(report, group, charts)),
    '## What was measured',
    subjectTable(report),
    ...result.machines.map(machinePart),
  ];
  return `${parts.join('\n\n')}\n`;
}

function escapeMarkdown(text: string): string {
  return escapeLine(oneLine(text));
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}

/** Commands, each once. */
function codeList(commands: readonly string[]): string {
  return [...new Set(commands)].map(codeBlock).join('\n');
}

/** A command as text of others: on one line, and whatever is in it is code. */
function codeBlock(text: string): string {
  return `    ${oneLine(text)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function groupPart(report: Report, group: string, charts: ChartFiles): string[] {
  const own = report.groups.filter(({ workload }) => workload.group === group);
  return own.length === 0 ? [] : [`### ${group}`, ...own.flatMap((one) => workloadPart(report, one, charts))];
}

function workloadPart(report: Report, group: ChartGroup, charts: ChartFiles): string[] {
  const { workload } = group;
  const figures = group.charts.flatMap((chart) => chart.figures);
  const subjects = report.result.subjects.filter((subject) =>
    figures.some((figure) => figure.subject === subject),
  );
  const points = new Map<string, Point>(figures.map(({ point }) => [pointKey(point), point]));
  const rows = [...points].map(([key, point]) => [
    escapeMarkdown(pointText(point)),
    ...subjects.map((subject) => {
      const figure = figures.find((one) => one.subject === subject && pointKey(one.point) === key);
      return figure === undefined ? '' : cellText(figure);
    }),
  ]);
  const images = (charts.get(workload.id) ?? []).map(
    ({ title, path }) => `![${escapeMarkdown(title)}](${encodeURI(path)})`,
  );
  return [
    `#### ${escapeMarkdown(workload.title)}`,
    `\`${oneLine(workload.id).replaceAll('`', ' ')}\`, ${betterWord(workload)}`,
    ...images,
    table(['', ...subjects.map((subject) => escapeMarkdown(report.name(subject)))], rows),
    codeBlock(repeatCommand(report.result, workload.id)),
  ];
}

function cellText(figure: Figure): string {
  const error = figure.error === undefined ? '' : `failed: ${figure.error}`;
  if (figure.values.length === 0) return figure.isLate ? NO_TIME : escapeMarkdown(error);
  const text = `${figureText(figure.median, figure.workload.unit)}${marksOf(figure)}, ${samplesText(figure)}`;
  return escapeMarkdown([text, ...(error === '' ? [] : [error])].join(', '));
}

/** The facts of a subject, as both forms show them. */
export function subjectFacts({ machine, engine, backing, size, ...rest }: Subject): string[] {
  const options = [rest.mountOptions, rest.storageOptions.join(' ')].filter((one) => one !== '');
  return [
    engine,
    machine,
    `${backing}, ${bytesText(size)}`,
    rest.mkfs,
    options.join('; '),
    rest.baseline ?? '',
  ];
}

/** What `subjectFacts` are. */
export const SUBJECT_HEAD = ['', 'engine', 'machine', 'store', 'made by', 'options', 'against'];

function subjectTable({ result, name }: Report): string {
  return table(
    SUBJECT_HEAD,
    result.subjects.map((subject) => [name(subject), ...subjectFacts(subject)].map(escapeMarkdown)),
  );
}

/** The facts of a machine, as both forms show them. */
export function machineFacts({
  isVirtual,
  kernel,
  processor,
  processors,
  memory,
  disk,
  versions,
  loadBefore,
}: Machine): (readonly [string, string])[] {
  return [
    ['kernel', kernel],
    ['processors', `${processors} × ${processor}`],
    ['memory', bytesText(memory)],
    ['kind', isVirtual ? 'a virtual machine of the lab' : 'the machine itself'],
    ['load before', loadBefore.toFixed(2)],
    ...Object.entries(disk).map(([key, value]) => [`disk: ${key}`, value] as const),
    ...Object.entries(versions),
  ];
}

function machinePart(machine: Machine): string {
  const rows = machineFacts(machine).map((row) => row.map(escapeMarkdown));
  return table([escapeMarkdown(machine.id), ''], rows);
}
