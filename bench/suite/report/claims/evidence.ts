/** What claims are judged by: questions to the figures, each answered yes, no, or not at all. */
import { type Contrast, contrastOf } from '../../compare/contrast.ts';
import type { Subject } from '../../schema.ts';
import { CONFIDENCE, type Estimate, median, medianEstimate } from '../../statistics.ts';
import { type Figure, type Figures, type Point, pairOf, pointKey } from '../figures.ts';
import type { Overall, Relation } from '../relation.ts';
import {
  factorText,
  figureText,
  scaleText,
  scaleTitle,
  spreadText,
  subjectNames,
  timesText,
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
  /** The driver that was not measured, where that is all that is lacking. */
  readonly lacks?: string;
  /** Whom it is about. */
  readonly about?: Subject;
}

/** One claim of the literature. */
export interface Claim {
  readonly number: number;
  /** In a few words, for where there is no room. */
  readonly title: string;
  readonly claim: string;
  /** What `--workloads` measures it by; all that the run had where it is empty. */
  readonly workloads: readonly string[];
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

/** Who counts beside the drivers of ours. */
export interface Others {
  /** What stands in for a driver is another program, and a claim is about the driver. */
  readonly standIns?: boolean;
  /** Another engine's driver, where ours of that name was not measured. */
  readonly peers?: boolean;
}

/** The result with those whom a claim may be about. */
export function viewOf(figures: Figures, { standIns = false, peers = false }: Others = {}): View {
  const { subjects } = figures.result;
  const ours = subjects.filter(({ kind, standIn }) => kind === 'driver' && (standIns || standIn === null));
  const measured = new Set(
    figures.list.flatMap(({ subject, values }) => (values.length === 0 ? [] : [subject.id])),
  );
  const known = new Set(ours.flatMap(({ id, driver }) => (measured.has(id) ? [driver] : [])));
  const others = subjects.filter(
    ({ id, kind, driver }) => peers && kind === 'peer' && measured.has(id) && !known.has(driver),
  );
  const replaced = new Set(others.map(({ driver }) => driver));
  const drivers = [...ours.filter(({ driver }) => !replaced.has(driver)), ...others];
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

/** What an open answer needs: more turns, where there are too few for any; else a narrower interval. */
export function wider({ confidence }: Estimate, few: string, limit: string): string {
  return confidence >= CONFIDENCE ? limit : few;
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
  if (subjects.length === 0) return [{ ...unknown(''), lacks: driver }];
  return subjects.flatMap((about) => ask(about).map((one) => ({ about, ...one })));
}

/** By what factor values grow from the least to the greatest value of a scale. */
export interface Growth extends Contrast {
  readonly from: number;
  readonly to: number;
  /** `0.3 ms (0.2 to 0.4) at 4 KiB, 41 ms (40 to 43) at 64 MiB (size of the file): 137 times (100 to 215)`. */
  readonly text: string;
}

/** How a scale is looked at. */
export interface GrowthQuestion {
  readonly workload: string;
  readonly scale: string;
  /** The greatest value that counts: the least one above this; the greatest there is unless given. */
  readonly firstAbove?: number;
  /** Which points count; all unless given. */
  readonly at?: (point: Point) => boolean;
}

/**
 * By what factor the values of a subject grow along a scale, all else equal. Above 1 is worse, whatever is better in the
 * workload: of rates it is by what factor they fall.
 */
export function growthOf(figures: Figures, subject: Subject, question: GrowthQuestion): Growth | undefined {
  const { workload, scale, firstAbove, at = () => true } = question;
  const list = figures.of(subject.id, workload).filter(({ values, point }) => values.length > 0 && at(point));
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
  const [least, greatest] = [from, to].map(
    (value, index) =>
      `${figureText(first[index]?.median ?? contrast.ratio, unit)} at ${scaleText(scale, value)}`,
  );
  const text = `${least}, ${greatest} (${scaleTitle(scale)}): ${timesText(contrast.ratio)}`;
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
 * Whether the median of the values is above a limit, asked on one side: five on the same side say that in 95 % and more, which a
 * two-sided interval of 90 % is the same as.
 */
export function medianAbove(values: readonly number[], limit: number): Answer {
  return above(medianEstimate(values, ONE_SIDED), limit, ONE_SIDED);
}

/** The values of several points at which the same is measured: those of one turn count once. */
export function pooled(figures: readonly Figure[]): number[] {
  const turns = new Map<number, number[]>();
  for (const figure of figures)
    for (const [index, value] of figure.values.entries()) {
      const turn = figure.turns[index] ?? 0;
      turns.set(turn, [...(turns.get(turn) ?? []), value]);
    }
  return [...turns.values()].map((list) => median(list));
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
