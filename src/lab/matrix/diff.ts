/** What has changed between two matrices, and whether it has become worse. */
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
 * Compares two matrices, kernel by kernel of the same name. Two of one kernel each are compared whatever their names are:
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
  const names = [...new Set([...before.kernels, ...after.kernels].map(({ name }) => name))];
  return names.flatMap((name) => {
    const old = before.kernels.find((kernel) => kernel.name === name);
    const now = after.kernels.find((kernel) => kernel.name === name);
    if (now === undefined) return [{ sort: 'other', text: `${name}: was not run` }];
    if (old === undefined) return [{ sort: 'other', text: `${name}: is new` }];
    return diffKernels(name, old, now);
  });
}

/** Whether there is something to compare: a kernel that both have, or one of each. */
export function areComparable(before: Matrix, after: Matrix): boolean {
  if (before.kernels.length === 1 && after.kernels.length === 1) return true;
  return before.kernels.some(({ name }) => after.kernels.some((kernel) => kernel.name === name));
}

/** The changes as text, the worst first, and a last line that counts them. */
export function diffText(changes: readonly MatrixChange[]): string {
  const titles: readonly (readonly [ChangeSort, string])[] = [
    ['worse', 'REGRESSION'],
    ['better', 'better'],
    ['other', 'changed'],
  ];
  const lines = titles.flatMap(([sort, title]) =>
    changes.filter((change) => change.sort === sort).map(({ text }) => `${title}  ${text}`),
  );
  const count = (sort: ChangeSort): number => changes.filter((change) => change.sort === sort).length;
  const regressions = count('worse');
  const end =
    changes.length === 0
      ? 'nothing has changed'
      : `${regressions} regression${regressions === 1 ? '' : 's'}, ${count('better')} better, ${count('other')} other`;
  return `${[...lines, end].join('\n')}\n`;
}

/** Whether one of the changes is a regression. */
export function hasRegression(changes: readonly MatrixChange[]): boolean {
  return changes.some(({ sort }) => sort === 'worse');
}

function diffKernels(name: string, before: KernelResult, after: KernelResult): MatrixChange[] {
  const changes: MatrixChange[] = [];
  // What the lab could not try says nothing of the kernel.
  const isBroken = after.error !== null && after.errorOf !== 'lab';
  if (before.error === null && after.error !== null) {
    const text = `${name}: it did not run to the end: ${after.error}`;
    changes.push({ sort: isBroken ? 'worse' : 'other', text });
  }
  if (before.error !== null && after.error === null)
    changes.push({ sort: 'better', text: `${name}: it runs now` });
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
  const failures = after.tests.failed - before.tests.failed;
  if (failures !== 0) {
    const text = `${name}: ${before.tests.failed} -> ${after.tests.failed} checks fail${because}`;
    return [{ sort: failures > 0 ? 'worse' : 'better', text }];
  }
  const fewer = before.tests.passed - after.tests.passed;
  if (fewer > 0 && after.tests.excused > before.tests.excused) {
    const text = `${name}: ${after.tests.excused - before.tests.excused} more checks are excused${because}`;
    return [{ sort: 'worse', text }];
  }
  if (before.reasons.map(steadyReason).join('\n') === after.reasons.map(steadyReason).join('\n')) return [];
  return [{ sort: 'other', text: `${name}: still ${after.status}, for another reason${because}` }];
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
