/** What claims are judged by: questions to the figures, each answered yes, no, or not at all. */
import { type Contrast, contrastOf } from '../../compare/contrast.ts';
import type { Subject } from '../../schema.ts';
import { CONFIDENCE, type Estimate, medianEstimate } from '../../statistics.ts';
import { type Figure, type Figures, type Point, pairOf, pointKey } from '../figures.ts';
import type { Overall, Relation } from '../relation.ts';
import {
  factorText,
  scaleText,
  scaleTitle,
  spreadText,
  subjectNames,
  timesText,
  valueText,
} from '../wording.ts';

/** `open`: the figures do not carry an answer. */
export type Answer = 'yes' | 'no' | 'open';

/** One question of a claim. The claim holds when the answer to each is yes. */
export interface Part {
  readonly answer: Answer;
  /** The figures, in words; empty where there are none. */
  readonly text: string;
  /** What an answer would need, where there is none. */
  readonly needs: string;
}

/** One claim of the literature. */
export interface Claim {
  readonly number: number;
  readonly claim: string;
  /** What would change a verdict that is given. */
  readonly change: string;
  parts(view: View): readonly Part[];
}

/** A result as a claim sees it. */
export interface View {
  readonly figures: Figures;
  /** All storage drivers of ours that count. */
  readonly drivers: readonly Subject[];
  of(driver: string): readonly Subject[];
  name(subject: Subject): string;
}

/** What stands in for a driver is another program, and a claim is about the driver: it counts only when asked for. */
export function viewOf(figures: Figures, withStandIns: boolean): View {
  const { subjects } = figures.result;
  const drivers = subjects.filter(
    ({ kind, standIn }) => kind === 'driver' && (withStandIns || standIn === null),
  );
  return {
    figures,
    drivers,
    of: (driver) => drivers.filter((subject) => subject.driver === driver),
    name: subjectNames(subjects),
  };
}

/** Below this factor a driver is not called better or worse than another one in a claim. */
export const NOTABLE = 1.1;

/** Whether a value is above a limit; open where its interval holds the limit or is not sure enough. */
export function above({ low, high, confidence }: Estimate, limit: number, sure: number = CONFIDENCE): Answer {
  if (!(confidence >= sure)) return 'open';
  if (low > limit) return 'yes';
  return high <= limit ? 'no' : 'open';
}

/** The opposite answer. */
export function not(answer: Answer): Answer {
  if (answer === 'open') return 'open';
  return answer === 'yes' ? 'no' : 'yes';
}

/** Whether all is so: one no is enough to know that it is not. */
export function every(answers: readonly Answer[]): Answer {
  if (answers.includes('no')) return 'no';
  return answers.length === 0 || answers.includes('open') ? 'open' : 'yes';
}

/** A part that nothing is known of. */
export function unknown(needs: string): Part {
  return { answer: 'open', text: '', needs };
}

/** A part with its figures; what it needs is asked for only while it is open. */
export function part(answer: Answer, text: string, needs: string): Part {
  return { answer, text, needs: answer === 'open' ? needs : '' };
}

/** The parts of each subject of a driver, or one that says that it was not measured. */
export function ofEach(view: View, driver: string, ask: (subject: Subject) => readonly Part[]): Part[] {
  const subjects = view.of(driver);
  if (subjects.length === 0) return [unknown(`${driver}, which was not measured`)];
  return subjects.flatMap(ask);
}

/** By what factor values grow from the least to the greatest value of a scale. */
export interface Growth extends Contrast {
  readonly from: number;
  readonly to: number;
  /** `copy-up of 4 KiB to 64 MiB: 0.3 ms to 41 ms`. */
  readonly text: string;
}

/** How a scale is looked at. */
export interface GrowthQuestion {
  readonly workload: string;
  readonly scale: string;
  /** The greatest value that counts: the least one above this; the greatest there is unless given. */
  readonly firstAbove?: number;
}

/**
 * By what factor the values of a subject grow along a scale, all else equal. Above 1 is worse, whatever is better in the
 * workload: of rates it is by what factor they fall.
 */
export function growthOf(figures: Figures, subject: Subject, question: GrowthQuestion): Growth | undefined {
  const { workload, scale, firstAbove } = question;
  const list = figures.of(subject.id, workload).filter(({ values }) => values.length > 0);
  const values = list.flatMap(({ point }) => point[scale] ?? []).sort((a, b) => a - b);
  const from = values[0];
  const to = firstAbove === undefined ? values.at(-1) : values.find((value) => value > firstAbove);
  if (from === undefined || to === undefined || from >= to) return undefined;
  const pairs = list.flatMap((least): (readonly [Figure, Figure])[] => {
    if (least.point[scale] !== from) return [];
    const greatest = list.find(
      ({ point }) => point[scale] === to && restKey(point, scale) === restKey(least.point, scale),
    );
    return greatest === undefined ? [] : [[least, greatest]];
  });
  const contrast = contrastOf(pairs.map(([least, greatest]) => pairOf(least, greatest)));
  const [first] = pairs;
  if (contrast === undefined || first === undefined) return undefined;
  const { unit } = first[0].workload;
  const medians = first.map(({ median }) => valueText(median.value, unit)).join(' to ');
  const text = `${medians} from ${scaleText(scale, from)} to ${scaleText(scale, to)} (${scaleTitle(scale)}), ${timesText(contrast.ratio)}`;
  return { ...contrast, from, to, text };
}

/** All of a point but one scale. */
function restKey(point: Point, scale: string): string {
  return pointKey(Object.fromEntries(Object.entries(point).filter(([name]) => name !== scale)));
}

/** The figure of a workload without scales. */
export function single(figures: Figures, subject: Subject, workload: string): Figure | undefined {
  return figures.of(subject.id, workload).find(({ values }) => values.length > 0);
}

/**
 * Whether the median is above a limit, asked on one side: five samples on the same side say that in 95 % and more, which a
 * two-sided interval of 90 % is the same as.
 */
export function medianAbove(figure: Figure, limit: number): Answer {
  return above(medianEstimate(figure.values, ONE_SIDED), limit, ONE_SIDED);
}

const ONE_SIDED = 2 * CONFIDENCE - 1;

/** `overlay2 1.8 times vfs (1.6 to 2.0)`, and through what where the machines are two. */
export function relationText(view: View, relation: Relation | (Overall & Sides)): string {
  const across = relation.isAcross ? ' †' : '';
  const { subject, other, ratio } = relation;
  return `${view.name(subject)} ${factorText(ratio.value)} times ${view.name(other)}${across} ${spreadText(ratio)}`;
}

/** Whom an overall comparison is of. */
export interface Sides {
  readonly subject: Subject;
  readonly other: Subject;
}
