/** Everything that a report says, in whatever form: worked out once. */
import type { Result, Subject } from '../schema.ts';
import { type ChartGroup, chartsOf } from './charts.ts';
import { type ClaimVerdict, judgeClaims, VERDICTS } from './claims/claims.ts';
import { type EngineWords, enginesOf } from './engines.ts';
import { type Figure, type Figures, figuresOf } from './figures.ts';
import { isThinned } from './thin.ts';
import { bytesText, figureText, listText, subjectNames } from './wording.ts';
import { type Advice, adviceOf } from './words.ts';

/** A result with all that is said of it. */
export interface Report {
  readonly result: Result;
  readonly figures: Figures;
  readonly advice: readonly Advice[];
  /** Beside other engines; empty where none was measured. */
  readonly engines: readonly EngineWords[];
  readonly claims: readonly ClaimVerdict[];
  readonly groups: readonly ChartGroup[];
  /** What a reader must know before the figures, a sentence each. */
  readonly cautions: readonly string[];
  name(subject: Subject): string;
}

/** The title of a report. */
export const TITLE = 'Storage drivers side by side';

/** How figures are to be read. */
export const READING =
  'Figures are medians with the interval that holds the true median with 95 %. One is better than another only where the interval of their ratio lies beyond 5 %, and where chance is no explanation among all comparisons that are made; perhaps, where it lies beyond 5 % and chance is one. Samples of one turn of a driver hang together, and count as one value, their median. An asterisk, and a pale bar: too few values for 95 %. A tilde: something disturbed some samples, which count all the same.';

/** What stands in the place of a figure for which there was no time. */
export const NO_TIME = 'no time';

/** What stands before the figures of a claim. */
export const FINDING_SIGNS = { yes: '✓', no: '✗', open: '∅' } as const;

/** What the signs mean. */
export const SIGNS = '✓ as the claim has it, ✗ otherwise, ∅ left open by the figures.';

/** What the dagger means. */
export const ACROSS =
  '† measured on another machine: what is compared is the ratio to the raw filesystem there, which is what a driver costs, and not how fast its filesystem is.';

/** `2 hold, 1 does not hold, 10 are not measurable here`. */
export function verdictCounts({ claims }: Pick<Report, 'claims'>): string {
  const words = {
    holds: ['holds', 'hold'],
    'does not hold': ['does not hold', 'do not hold'],
    'not measurable here': ['is not measurable here', 'are not measurable here'],
  } as const;
  return VERDICTS.flatMap((verdict) => {
    const count = claims.filter((claim) => claim.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${words[verdict][count === 1 ? 0 : 1]}`];
  }).join(', ');
}

/** The machines in a line each: what a reader asks first. */
export function machineLines({ result }: Pick<Report, 'result'>): string[] {
  return result.machines.map(({ id, kernel, processors, processor, memory, disk }) => {
    const { filesystem, device } = disk;
    const where =
      filesystem === undefined ? '' : `, ${filesystem}${device === undefined ? '' : ` on ${device}`}`;
    const before = result.machines.length === 1 ? '' : `${id}: `;
    return `${before}Linux ${kernel}, ${processors} × ${processor}, ${bytesText(memory)}${where}`;
  });
}

/** What the suite itself takes, which is in the figures: a sentence, or nothing where that was not measured. */
export function harnessText({ result, figures, name }: Report): string {
  const said = result.subjects
    .filter(({ kind }) => kind === 'raw')
    .flatMap((subject) => {
      const [run, call] = ['harness.run', 'harness.call'].map((id) =>
        figures.of(subject.id, id).find(({ values }) => values.length > 0),
      );
      if (run === undefined || call === undefined) return [];
      const [whole, one] = [run, call].map(({ median, workload }) => figureText(median, workload.unit));
      return [`on ${name(subject)} a container that measures nothing ${whole}, one call in it ${one}`];
    });
  return said.length === 0 ? '' : `The suite itself takes ${said.join('; ')}.`;
}

/** `2026-11-30 10:17 UTC`; what is no time stays as it is. */
export function startedText({ started }: Result): string {
  const [, day, time] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z$/.exec(started) ?? [];
  return day === undefined ? started : `${day} ${time} UTC`;
}

/** `303 s`, `12 min`, `3.5 h`. */
export function lastedText({ seconds }: Result): string {
  if (seconds < 600) return `${Math.round(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Works out a report. */
export function reportOf(result: Result): Report {
  const figures = figuresOf(result);
  return {
    result,
    figures,
    advice: adviceOf(figures),
    engines: enginesOf(figures),
    claims: judgeClaims(figures),
    groups: chartsOf(figures),
    cautions: cautionsOf(result, figures),
    name: subjectNames(result.subjects),
  };
}

/** Beyond this part of disturbed samples the whole run is doubtful. */
const DISTURBED = 0.1;

function cautionsOf(result: Result, { list }: Figures): string[] {
  const name = subjectNames(result.subjects);
  const samples = list.reduce((sum, figure) => sum + figure.samples, 0);
  const disturbed = list.reduce((sum, figure) => sum + figure.disturbed, 0);
  const few = list.filter(({ isFew, values }) => isFew && values.length > 0).length;
  const late = list.filter(({ isLate, values }) => isLate && values.length === 0).length;
  const failed = list.filter(({ error }) => error !== undefined).length;
  const virtual = result.machines.filter(({ isVirtual }) => isVirtual).map(({ id }) => id);
  const cautions = [
    ...(result.interrupted
      ? ['The run was ended before its time: what was measured until then is here.']
      : []),
    ...(isThinned(result)
      ? [
          'The samples are left out of this result: it has the median of each turn, of which all that is said here is made.',
        ]
      : []),
    ...result.subjects.flatMap((subject) =>
      subject.failed === null ? [] : [`${name(subject)} could not be measured to the end: ${subject.failed}`],
    ),
    ...result.subjects.flatMap(({ standIn, driver, kind }) =>
      standIn === null || kind !== 'driver'
        ? []
        : [
            `${standIn} stands in for ${driver ?? 'a driver'}, which this kernel lacks: its figures are its own.`,
          ],
    ),
    ...(disturbed > DISTURBED * samples
      ? [
          `${Math.round((100 * disturbed) / samples)} % of the samples were disturbed: a quiet machine says more.`,
        ]
      : []),
    ...(few === 0
      ? []
      : [
          `${few} of ${list.length} figures have too few values for an interval of 95 %: a longer --budget, or fewer --workloads and --drivers, say more.`,
        ]),
    ...(late === 0
      ? []
      : [`There was no time for ${late} of ${list.length} figures: give more with --budget.`]),
    ...(failed === 0 ? [] : [`${failed} of ${list.length} figures are not whole, because something failed.`]),
    ...(virtual.length === 0
      ? []
      : [
          `${listText(virtual)} ${virtual.length === 1 ? 'is a virtual machine' : 'are virtual machines'}: times of one mean something against each other only.`,
        ]),
  ];
  // A driver on two stores has the same stand-in twice.
  return [...new Set(cautions)];
}

/** `7 samples`, `18 samples in 6 turns`. */
export function samplesText({ samples, values }: Figure): string {
  const said = `${samples} sample${samples === 1 ? '' : 's'}`;
  return values.length === samples
    ? said
    : `${said} in ${values.length} turn${values.length === 1 ? '' : 's'}`;
}

/** `*` and `~` behind a figure: see `READING`. */
export function marksOf({
  isFew,
  disturbed,
}: {
  readonly isFew: boolean;
  readonly disturbed: number;
}): string {
  return `${isFew ? '*' : ''}${disturbed > 0 ? '~' : ''}`;
}
