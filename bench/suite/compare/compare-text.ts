/** A comparison of two results as lines for people, and as JSON for programs. */
import { printablePath } from '../../../src/linux/path.ts';
import { pointText, timesText, valueText } from '../report/wording.ts';
import { CHANGE_SORTS, type Change, type ChangeSort, type Comparison } from './compare.ts';
import type { Conditions } from './conditions.ts';
import { MARGIN } from './contrast.ts';

/** What each line begins with. */
const TITLES: Readonly<Record<ChangeSort, string>> = {
  worse: 'REGRESSION',
  better: 'better',
  'perhaps-worse': 'perhaps worse',
  'perhaps-better': 'perhaps better',
  same: 'same',
  open: 'open',
};

/** What has changed, the worst first, and a last line that counts. What is the same or open is counted only. */
export function comparisonText(comparison: Comparison): string {
  const { changes, changed, conditions, lacking } = comparison;
  const shown = CHANGE_SORTS.filter((sort) => sort !== 'same' && sort !== 'open');
  const lines = [
    ...conditions.flatMap(conditionLines),
    ...changed.map((one) => `changed  ${one}`),
    ...shown.flatMap((sort) =>
      changes
        .filter((change) => change.sort === sort)
        .sort((a, b) => severity(b) - severity(a))
        .map((change) => `${TITLES[sort]}  ${changeText(change)}`),
    ),
    ...lacking.map((one) => `not compared  ${one}`),
    countLine(comparison),
  ];
  // Ids, titles and errors are somebody else's text.
  return `${lines.map(printablePath).join('\n')}\n`;
}

/** How far a change is from none. */
function severity({ factor }: Change): number {
  return factor === null ? Number.POSITIVE_INFINITY : Math.abs(Math.log(factor.value));
}

function conditionLines({ machine, foreign, changed }: Conditions): string[] {
  return [
    ...(foreign.length === 0
      ? []
      : [
          `TWO MACHINES  ${machine}: ${foreign.join('; ')}. Drivers are compared by their ratio to the raw filesystem of each, raw filesystems and other engines as they are`,
        ]),
    ...changed.map((one) => `changed  ${machine}: ${one}`),
  ];
}

/** `overlay2@ext4, first write …, size 64 MiB: 12.3 ms -> 17.4 ms, 1.42 times (1.38 to 1.46)`. */
function changeText(change: Change): string {
  const { subject, workload, point, factor, before, after, byBaseline, disturbed, error } = change;
  const place = [subject, `${workload.title} (${workload.id})`, pointText(point)].filter((one) => one !== '');
  const was = valueText(before.value, workload.unit);
  if (factor === null || after === null) return `${place.join(', ')}: ${was} -> failed: ${error ?? ''}`;
  const basis = byBaseline ? 'against raw ' : '';
  const flag = disturbed === 0 ? '' : `; ${disturbed} samples were disturbed`;
  return `${place.join(', ')}: ${was} -> ${valueText(after.value, workload.unit)}, ${basis}${timesText(factor)}${flag}`;
}

function countLine({ changes, regressions }: Comparison): string {
  const count = (...sorts: readonly ChangeSort[]): number =>
    changes.filter(({ sort }) => sorts.includes(sort)).length;
  const perhaps = count('perhaps-worse', 'perhaps-better');
  return [
    `${regressions} regression${regressions === 1 ? '' : 's'}`,
    `${count('better')} better`,
    ...(perhaps === 0 ? [] : [`${perhaps} perhaps, which chance may have made among ${changes.length}`]),
    `${count('same')} the same within ${Math.round((MARGIN - 1) * 100)} %`,
    `${count('open')} that the figures leave open`,
  ].join(', ');
}

/** The same for programs, all series included. */
export function comparisonJson(comparison: Comparison): string {
  const { changes, ...rest } = comparison;
  const list = changes.map(({ workload, ...change }) => ({
    ...change,
    workload: workload.id,
    unit: workload.unit,
  }));
  return `${JSON.stringify({ margin: MARGIN, ...rest, changes: list }, undefined, 2)}\n`;
}
