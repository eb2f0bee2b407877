/** What has changed between two matrices, and whether it has become worse. */
import { printablePath } from '../../linux/path.ts';
import { properName } from '../kernels.ts';
import { steadyReason } from './reasons.ts';
import type { Cell, Feature, KernelResult, Matrix, Status } from './schema.ts';
import { isOfLab } from './summary.ts';

/** `worse` is a regression. `other` is no judgement: something that is new, was not run, or reads differently. */
export type ChangeSort = 'worse' | 'better' | 'other';

/** One difference. */
export interface MatrixChange {
  readonly sort: ChangeSort;
  /** `debian:6.1, overlay2 on xfs: works -> failed (…)`, one line. */
  readonly text: string;
}

/** From best to worst. A filesystem that the kernel cannot make any more is worse than a driver that refuses it. */
const RANK: Readonly<Record<Status, number>> = {
  works: 0,
  limited: 1,
  refused: 2,
  unavailable: 3,
  failed: 4,
};

/**
 * Compares two matrices, kernel by kernel: those of the same name, by its version or its suite. Two of one kernel each are compared whatever their names are:
 * that is somebody's new build against the old one.
 */
export function diffMatrices(before: Matrix, after: Matrix): MatrixChange[] {
  const [onlyBefore, ...moreBefore] = before.kernels;
  const [onlyAfter, ...moreAfter] = after.kernels;
  const single = moreBefore.length === 0 && moreAfter.length === 0;
  if (single && onlyBefore !== undefined && onlyAfter !== undefined) {
    const { name } = onlyAfter;
    return diffKernels(
      onlyBefore.name === name ? name : `${onlyBefore.name} -> ${name}`,
      onlyBefore,
      onlyAfter,
    );
  }
  const names = [...new Set([...before.kernels, ...after.kernels].map(({ name }) => properName(name)))];
  return names.flatMap((name) => {
    const [old, now] = [before, after].map(({ kernels }) =>
      kernels.find((kernel) => properName(kernel.name) === name),
    );
    if (now === undefined) return [{ sort: 'other', text: `${name}: was not run` }];
    if (old === undefined) return [{ sort: 'other', text: `${name}: is new` }];
    return diffKernels(name, old, now);
  });
}

/** Whether there is something to compare: a kernel that both have, or one of each. Of matrices with the same checks: see `slow`. */
export function areComparable(before: Matrix, after: Matrix): boolean {
  if (before.kernels.length === 1 && after.kernels.length === 1) return true;
  const names = after.kernels.map(({ name }) => properName(name));
  return before.kernels.some(({ name }) => names.includes(properName(name)));
}

/** The changes as text, the worst first, and a last line that counts them. */
export function diffText(changes: readonly MatrixChange[]): string {
  const titles: readonly (readonly [ChangeSort, string])[] = [
    ['worse', 'REGRESSION'],
    ['better', 'better'],
    ['other', 'changed'],
  ];
  const lines = titles.flatMap(([sort, title]) =>
    changes.filter((change) => change.sort === sort).map(({ text }) => `${title}  ${printablePath(text)}`),
  );
  const count = (sort: ChangeSort): number => changes.filter((change) => change.sort === sort).length;
  const regressions = count('worse');
  const end =
    changes.length === 0
      ? 'nothing has changed'
      : `${regressions} regression${regressions === 1 ? '' : 's'}, ${count('better')} better, ${count('other')} other`;
  return `${[...lines, end].join('\n')}\n`;
}

/** The regressions alone, a line each; empty where there is none. */
export function regressionText(changes: readonly MatrixChange[]): string {
  return changes
    .flatMap(({ sort, text }) => (sort === 'worse' ? `REGRESSION  ${printablePath(text)}\n` : []))
    .join('');
}

/** Whether one of the changes is a regression. */
export function hasRegression(changes: readonly MatrixChange[]): boolean {
  return changes.some(({ sort }) => sort === 'worse');
}

function diffKernels(name: string, before: KernelResult, after: KernelResult): MatrixChange[] {
  const changes: MatrixChange[] = [];
  // What the lab could not try says nothing of the kernel.
  const isBroken = after.error !== null && after.errorOf !== 'lab';
  changes.push(...diffErrors(name, before, after));
  const cells = paired(before.cells, after.cells, ({ driver, backing }) => `${driver} on ${backing}`);
  const features = paired(before.features, after.features, ({ name: feature, backing }) =>
    backing === null ? feature : `${feature} on ${backing}`,
  );
  // A kernel that died before it came to the cell has told so already.
  for (const [key, old, now] of cells)
    if (now !== undefined || after.error === null || before.error !== null)
      changes.push(...diffCells(`${name}, ${key}`, old, now, isBroken));
  for (const [key, old, now] of features) changes.push(...diffFeatures(`${name}, ${key}`, old, now));
  return changes;
}

/** What became of the kernel as a whole. */
function diffErrors(name: string, before: KernelResult, after: KernelResult): MatrixChange[] {
  if (after.error === null)
    return before.error === null ? [] : [{ sort: 'better', text: `${name}: it runs now` }];
  const isOf = ({ errorOf = 'kernel' }: KernelResult): string => errorOf;
  if (before.error === null) {
    const text = `${name}: it did not run to the end: ${after.error}`;
    return [{ sort: isOf(after) === 'lab' ? 'other' : 'worse', text }];
  }
  if (before.error === after.error && isOf(before) === isOf(after)) return [];
  const was =
    isOf(before) === 'lab' ? 'it could not be tried before, and now' : 'it still did not run to the end:';
  return [{ sort: 'other', text: `${name}: ${was} ${after.error}` }];
}

type Pair<T> = readonly [key: string, before: T | undefined, after: T | undefined];

function paired<T>(before: readonly T[], after: readonly T[], keyOf: (one: T) => string): Pair<T>[] {
  const old = new Map(before.map((one) => [keyOf(one), one]));
  const now = new Map(after.map((one) => [keyOf(one), one]));
  return [...new Set([...old.keys(), ...now.keys()])].map((key) => [key, old.get(key), now.get(key)]);
}

function diffCells(
  name: string,
  before: Cell | undefined,
  after: Cell | undefined,
  isBroken: boolean,
): MatrixChange[] {
  if (before === undefined) return [{ sort: 'other', text: `${name}: is new, ${after?.status}` }];
  // Somebody may have asked for fewer; a kernel that does not run to its end does not get that far.
  if (after === undefined) return [{ sort: isBroken ? 'worse' : 'other', text: `${name}: was not run` }];
  const because = after.reasons[0] === undefined ? '' : ` (${steadyReason(after.reasons[0])})`;
  // For want of a program here it was as little run.
  if (isOfLab(after) && !isOfLab(before))
    return [{ sort: 'other', text: `${name}: ${before.status} -> not tried${because}` }];
  if (isOfLab(before) && !isOfLab(after))
    return [{ sort: 'other', text: `${name}: not tried -> ${after.status}${because}` }];
  if (before.status !== after.status) {
    const isWorse = RANK[after.status] > RANK[before.status];
    // That a filesystem cannot be had says nothing of what failed on it.
    const sort = isWorse ? 'worse' : after.status === 'unavailable' ? 'other' : 'better';
    return [{ sort, text: `${name}: ${before.status} -> ${after.status}${because}` }];
  }
  const failures = diffFailures(name, before, after, because);
  if (failures !== undefined) return [failures];
  const limits = diffLimits(name, before, after);
  if (limits !== undefined) return [limits];
  const fewer = before.tests.passed - after.tests.passed;
  if (fewer > 0 && after.tests.excused > before.tests.excused) {
    const text = `${name}: ${after.tests.excused - before.tests.excused} more checks are excused${because}`;
    return [{ sort: 'worse', text }];
  }
  if (fewer > 0) {
    const text = `${name}: still ${after.status}, ${before.tests.passed} -> ${after.tests.passed} checks passed`;
    return [{ sort: 'other', text }];
  }
  const [old, now] = [before, after].map(({ reasons }) => reasons.map(steadyReason).sort().join('\n'));
  if (old === now) return [];
  return [{ sort: 'other', text: `${name}: still ${after.status}, for another reason${because}` }];
}

/**
 * What of two cells of one status fails otherwise. Which checks they are counts, not how many: one that newly fails is worse,
 * whatever else works now. Those of a cell that something died under were never counted to the end.
 */
function diffFailures(name: string, before: Cell, after: Cell, because: string): MatrixChange | undefined {
  const died = [before, after].map((cell) => cell.died === true);
  if (died[0] !== died[1]) {
    const text = died[1]
      ? `it died, where checks failed before${because}`
      : `checks fail${because}, where it died before`;
    return { sort: died[1] ? 'worse' : 'better', text: `${name}: ${text}` };
  }
  if (died[1]) return undefined;
  const known = failedChecks(before);
  const fresh = [...failedChecks(after)].filter(([check]) => !known.has(check));
  const more = after.tests.failed - before.tests.failed;
  if (fresh.length === 0 && more === 0) return undefined;
  const why = fresh[0] === undefined ? because : ` (${steadyReason(fresh[0][1])})`;
  const text = `${name}: ${before.tests.failed} -> ${after.tests.failed} checks fail${why}`;
  return { sort: fresh.length > 0 || more > 0 ? 'worse' : 'better', text };
}

/** What of two limited cells is done without otherwise: a limit more is worse, whatever else there is now. */
function diffLimits(name: string, before: Cell, after: Cell): MatrixChange | undefined {
  if (before.status !== 'limited' || after.status !== 'limited') return undefined;
  const [old, now] = [before, after].map(({ reasons }) => new Set(reasons.map(steadyReason)));
  const fresh = [...(now ?? [])].find((reason) => old?.has(reason) === false);
  if (fresh !== undefined) return { sort: 'worse', text: `${name}: is limited by more (${fresh})` };
  const gone = [...(old ?? [])].find((reason) => now?.has(reason) === false);
  if (gone === undefined) return undefined;
  return { sort: 'better', text: `${name}: is limited by less (no longer: ${gone})` };
}

/** The checks that a cell gives as reasons, each with its line: `NAME: WHY`. */
function failedChecks({ status, reasons }: Cell): Map<string, string> {
  if (status !== 'failed') return new Map();
  return new Map(reasons.map((reason) => [reason.split(': ', 1)[0] ?? reason, reason]));
}

function diffFeatures(name: string, before: Feature | undefined, after: Feature | undefined): MatrixChange[] {
  if (before === undefined) return [];
  if (after === undefined) return [{ sort: 'other', text: `${name}: was not tried` }];
  const [old, now] = [before, after].map(({ answer, died }) => (died === true ? 'died' : answer));
  if (old === now) return [];
  const because = after.reason === '' ? '' : ` (${after.reason})`;
  const text = `${name}: ${old} -> ${now}${because}`;
  if (now === 'died') return [{ sort: 'worse', text }];
  if (now === 'unknown' || old === 'unknown') return [{ sort: 'other', text }];
  return [{ sort: now === 'no' && old === 'yes' ? 'worse' : 'better', text }];
}
