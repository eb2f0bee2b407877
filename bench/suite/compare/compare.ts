/** What has become slower and what faster between two results, with confidence. */
import { TsengineError } from '../../../src/errors.ts';
import { type Figure, type Figures, figuresOf, type Point, pointKey, worths } from '../report/figures.ts';
import type { Machine, Result, Subject, Workload } from '../schema.ts';
import type { Estimate } from '../statistics.ts';
import { buildsOf, type Conditions, changesOf, conditionsOf, endsOf } from './conditions.ts';
import { type Contrast, contrastOf, HALF_CONFIDENCE, judge, quotientOf } from './contrast.ts';

/**
 * `worse` is a regression: the interval of its factor lies beyond 5 %, and that stands among all that was compared. `perhaps-`:
 * the interval does, but chance finds as much somewhere among so many. `same`: all of the interval is within 5 %. `open`: the
 * figures do not say.
 */
export const CHANGE_SORTS = ['worse', 'better', 'perhaps-worse', 'perhaps-better', 'same', 'open'] as const;

/** See `CHANGE_SORTS`. */
export type ChangeSort = (typeof CHANGE_SORTS)[number];

/** What became of one series. */
export interface Change {
  readonly sort: ChangeSort;
  readonly subject: string;
  readonly workload: Workload;
  readonly point: Point;
  /** The later value as a multiple of the earlier one; null where there are no later values. */
  readonly factor: Estimate | null;
  /** The factor is of ratios to the raw filesystem, because the machines are two. */
  readonly byBaseline: boolean;
  readonly before: Estimate;
  readonly after: Estimate | null;
  /** Samples that something disturbed, on both sides. */
  readonly disturbed: number;
  /** Why there are no later values. */
  readonly error: string | null;
}

/** What a comparison found. */
export interface Comparison {
  readonly changes: readonly Change[];
  readonly conditions: readonly Conditions[];
  /** What else has changed: the build, mount options. */
  readonly changed: readonly string[];
  /** What one of the two has not got, a sentence each. */
  readonly lacking: readonly string[];
  readonly regressions: number;
}

/** A series that both have. */
interface Match {
  readonly before: Figure;
  readonly after: Figure;
  readonly contrast: Contrast | undefined;
  readonly byBaseline: boolean;
}

/** Compares two results; `names` are what errors and sentences call them. */
export function compareResults(
  before: Result,
  after: Result,
  names: readonly [string, string] = ['the first', 'the second'],
): Comparison {
  const pairing = pair(before, after, names);
  const [old, now] = [figuresOf(before), figuresOf(after)];
  const lacking = [...pairing.lacking];
  const matches = pairing.subjects.flatMap(([a, b]) => {
    const conditions = pairing.conditions.find(({ machine }) => machine === b.machine);
    const isForeign = conditions !== undefined && conditions.foreign.length > 0;
    return matchesOf({ old, now, a, b, isForeign, names, lacking });
  });
  const compared = matches.flatMap((match) =>
    match.contrast === undefined ? [] : [{ ...match, contrast: match.contrast }],
  );
  const failures = matches.flatMap(failureOf);
  if (compared.length === 0 && failures.length === 0)
    throw new TsengineError(
      'InvalidParameter',
      `${names[0]} and ${names[1]} have no figure in common, so that there is nothing to compare: measure the same drivers and workloads`,
    );
  const judgements = judge(compared.map(({ contrast }) => contrast));
  const changes = compared.map(({ contrast, ...match }, index): Change => {
    const { alone = 'open', among = 'open' } = judgements[index] ?? {};
    const direction = alone === 'larger' ? 'better' : 'worse';
    const sort =
      alone === 'same' || alone === 'open'
        ? alone
        : among === alone
          ? direction
          : (`perhaps-${direction}` as const);
    return { ...changeOf(match), sort, factor: factorOf(contrast.ratio, match.after.workload) };
  });
  const all = [...failures, ...changes];
  return {
    changes: all,
    conditions: pairing.conditions,
    changed: [
      ...buildsOf(before, after),
      ...endsOf(before, after, names),
      ...pairing.subjects.flatMap(([a, b]) => changesOf(a, b)),
    ],
    lacking,
    regressions: all.filter(({ sort }) => sort === 'worse').length,
  };
}

/** The machines and subjects that belong together. */
interface Pairing {
  readonly subjects: readonly (readonly [Subject, Subject])[];
  readonly conditions: readonly Conditions[];
  readonly lacking: readonly string[];
}

/** By their ids; where either result is of one machine, whatever that is called: a new kernel against the old one. */
function pair(before: Result, after: Result, names: readonly [string, string]): Pairing {
  const isSingle = before.machines.length === 1 && after.machines.length === 1;
  const keyOf = ({ id, machine }: Subject): string =>
    isSingle && id.endsWith(`+${machine}`) ? id.slice(0, -machine.length - 1) : id;
  const machineBefore = ({ id }: Machine): Machine | undefined =>
    isSingle ? before.machines[0] : before.machines.find((machine) => machine.id === id);
  const olds = new Map(before.subjects.map((subject) => [keyOf(subject), subject]));
  const nows = new Map(after.subjects.map((subject) => [keyOf(subject), subject]));
  const subjects = [...nows].flatMap(([key, subject]) => {
    const old = olds.get(key);
    return old === undefined ? [] : [[old, subject] as const];
  });
  return {
    subjects,
    conditions: after.machines.flatMap((machine) => {
      const old = machineBefore(machine);
      return old === undefined ? [] : [conditionsOf(old, machine)];
    }),
    lacking: [
      ...[...olds.keys()].filter((key) => !nows.has(key)).map((key) => `${key} is only in ${names[0]}`),
      ...[...nows.keys()].filter((key) => !olds.has(key)).map((key) => `${key} is only in ${names[1]}`),
    ],
  };
}

interface Sides {
  readonly old: Figures;
  readonly now: Figures;
  readonly a: Subject;
  readonly b: Subject;
  readonly isForeign: boolean;
  readonly names: readonly [string, string];
  /** Grows by what one of both has not got. */
  readonly lacking: string[];
}

/** The series of one subject that both have. What one has not got is told workload by workload. */
function matchesOf({ old, now, a, b, isForeign, names, lacking }: Sides): Match[] {
  const ids = new Set([...old.result.workloads, ...now.result.workloads].map(({ id }) => id));
  return [...ids].flatMap((id) => {
    const [before, after] = [old.of(a.id, id), now.of(b.id, id)];
    const known = new Map(before.map((figure) => [pointKey(figure.point), figure]));
    const pairs = after.flatMap((figure) => {
      const match = known.get(pointKey(figure.point));
      return match === undefined ? [] : [{ before: match, after: figure }];
    });
    const told = (side: readonly Figure[], name: string): void => {
      const missing = side.length - pairs.length;
      const part = pairs.length === 0 ? '' : ` at ${missing} of ${side.length} points`;
      if (missing > 0) lacking.push(`${b.id}, ${id}${part} is only in ${name}`);
    };
    told(before, names[0]);
    told(after, names[1]);
    const matches = pairs.map((match) => ({ ...match, ...contrastBetween(match, old, now, isForeign) }));
    for (const [side, name] of [
      ['before', names[0]],
      ['after', names[1]],
    ] as const) {
      const empty = matches.filter(
        (match) => match[side].values.length === 0 && failureOf(match).length === 0,
      );
      const where = empty.length === pairs.length ? '' : ` at ${empty.length} of ${pairs.length} points`;
      if (empty.length > 0) lacking.push(`${b.id}, ${id}${where} has no values in ${name}`);
    }
    if (matches.some(({ byBaseline, contrast }) => byBaseline && contrast === undefined))
      lacking.push(`${b.id}, ${id} has no raw filesystem beside it on both machines`);
    return matches;
  });
}

/** Of two machines it is the ratio to the raw filesystem that is compared, where there is one. */
function contrastBetween(
  { before, after }: Pick<Match, 'before' | 'after'>,
  old: Figures,
  now: Figures,
  isForeign: boolean,
): Pick<Match, 'contrast' | 'byBaseline'> {
  if (!isForeign || before.subject.baseline === null || after.subject.baseline === null)
    return { contrast: contrastOf([{ values: worths(after), baseline: worths(before) }]), byBaseline: false };
  const rawBefore = old.at(before.subject.baseline, before.workload.id, before.point);
  const rawAfter = now.at(after.subject.baseline, after.workload.id, after.point);
  if (rawBefore === undefined || rawAfter === undefined) return { contrast: undefined, byBaseline: true };
  const [a, b] = [
    contrastOf([{ values: worths(after), baseline: worths(rawAfter) }], HALF_CONFIDENCE),
    contrastOf([{ values: worths(before), baseline: worths(rawBefore) }], HALF_CONFIDENCE),
  ];
  const contrast = a === undefined || b === undefined ? undefined : quotientOf(a, b);
  return { contrast, byBaseline: true };
}

/** What was measured before and cannot be any more. That there was no time for it, or that somebody ended the run, is nobody's fault. */
function failureOf({ before, after, byBaseline }: Match): Change[] {
  const error = after.error ?? (after.isLate ? null : after.subject.failed);
  if (before.values.length === 0 || after.values.length > 0 || error === null) return [];
  return [{ ...changeOf({ before, after, byBaseline }), sort: 'worse', factor: null, after: null, error }];
}

function changeOf({ before, after, byBaseline }: Omit<Match, 'contrast'>): Omit<Change, 'sort' | 'factor'> {
  return {
    subject: after.subject.id,
    workload: after.workload,
    point: after.point,
    byBaseline,
    before: before.median,
    after: after.median,
    disturbed: before.disturbed + after.disturbed,
    error: null,
  };
}

/** The later value as a multiple of the earlier one, from how many times better it is. */
function factorOf({ value, low, high, confidence }: Estimate, { better }: Workload): Estimate {
  if (better === 'more') return { value, low, high, confidence };
  return { value: 1 / value, low: 1 / high, high: 1 / low, confidence };
}
