/** Everything that a report says, in whatever form: worked out once. */
import type { Result, Subject } from '../schema.ts';
import { type ChartGroup, chartsOf } from './charts.ts';
import { type ClaimVerdict, judgeClaims } from './claims/claims.ts';
import { type Figure, type Figures, figuresOf } from './figures.ts';
import { listText, subjectNames } from './wording.ts';
import { type Advice, adviceOf } from './words.ts';

/** A result with all that is said of it. */
export interface Report {
  readonly result: Result;
  readonly figures: Figures;
  readonly advice: readonly Advice[];
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
  'Figures are medians with the interval that holds the true median with 95 %. One is better than another only where the interval of their ratio lies beyond 5 %, in enough comparisons that chance is no explanation among all that are made. Samples of one turn of a driver hang together, and count as one value, their median. An asterisk: too few values for 95 %. A tilde: something disturbed some samples, which count all the same.';

/** What the dagger means. */
export const ACROSS =
  '† measured on another machine, and compared by the ratio to the raw filesystem of its own.';

/** Works out a report. */
export function reportOf(result: Result): Report {
  const figures = figuresOf(result);
  return {
    result,
    figures,
    advice: adviceOf(figures),
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
  const failed = list.filter(({ error }) => error !== undefined).length;
  const virtual = result.machines.filter(({ isVirtual }) => isVirtual).map(({ id }) => id);
  return [
    ...(result.interrupted
      ? ['The run was ended before its time: what was measured until then is here.']
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
    ...(few === 0 ? [] : [`${few} of ${list.length} figures have too few values for an interval of 95 %.`]),
    ...(failed === 0 ? [] : [`${failed} of ${list.length} figures are not whole, because something failed.`]),
    ...(virtual.length === 0
      ? []
      : [
          `${listText(virtual)} ${virtual.length === 1 ? 'is a virtual machine' : 'are virtual machines'}: times of one mean something against each other only.`,
        ]),
  ];
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
