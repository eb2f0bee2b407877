/** Claims on who is faster than whom over many workloads. */
import { judge } from '../../compare/contrast.ts';
import type { Subject, Workload } from '../../schema.ts';
import { type Choice, isOneMeasure, LEAST_TURNS, relate, relateOverall } from '../relation.ts';
import { bytesText, listText, timesText } from '../wording.ts';
import {
  type Answer,
  above,
  type Claim,
  every,
  NOTABLE,
  not,
  ofEach,
  type Part,
  part,
  relationText,
  unknown,
  type View,
} from './evidence.ts';

const BORDER = 512 * 1024 * 1024;
const SIX = `six workloads or more that both were measured at in ${LEAST_TURNS} turns each`;

/** What subjects of two machines need to be compared as filesystems. */
function oneMeasure(view: View, subject: Subject, others: readonly Subject[]): string {
  return `${view.name(subject)} and ${listText(others.map(view.name))} on one machine, or beside the same raw filesystem on both`;
}

/** Large files as the disk sees them: what is cached says nothing of a driver's size of file. */
function largeFiles(isAbove: boolean): Choice {
  return ({ id, group }, { size = 0 }) =>
    group === 'large-files' && !id.endsWith('.warm') && size > BORDER === isAbove;
}

/** Whether a subject is worse than most others, or at least as good as most others. */
function against(view: View, subject: Subject, chosen: Choice, isPoor: boolean, where: string): Part {
  const all = view.drivers.filter(({ driver }) => driver !== subject.driver);
  const others = all.filter((other) => isOneMeasure(view.figures, subject, other));
  if (others.length === 0 && all.length > 0) return unknown(oneMeasure(view, subject, all));
  const relations = others.map((other) => ({
    subject,
    other,
    ...relateOverall(view.figures, subject, other, chosen),
  }));
  const measured = relations.filter(({ workloads }) => workloads > 0);
  const name = view.name(subject);
  if (measured.length === 0)
    return unknown(`${name} and another driver, large files ${where}, in ${LEAST_TURNS} turns each`);
  // Worse than: its factor is below 1/1.1.
  const worse = measured.map(({ ratio }) => not(above(ratio, 1 / NOTABLE)));
  const most = Math.floor(measured.length / 2) + 1;
  const count = (answer: Answer): number => worse.filter((one) => one === answer).length;
  const poor: Answer = count('yes') >= most ? 'yes' : count('no') > measured.length - most ? 'no' : 'open';
  const text = `${where}: ${measured.map((relation) => relationText(view, relation)).join(', ')}`;
  const needs = `${SIX} ${where}, or narrower intervals: for ${name} they leave open how many are faster`;
  return part(isPoor ? poor : not(poor), text, needs);
}

function bySize(number: number, driver: string, poorAbove: boolean): Claim {
  const [above512, below512] = poorAbove ? ['poor', 'good'] : ['good', 'poor'];
  return {
    number,
    title: `${driver} is ${above512} with files above ${bytesText(BORDER)}, and ${below512} below`,
    workloads: ['large-files'],
    claim: `${driver} is ${above512} above ${bytesText(BORDER)} and ${below512} below`,
    change: `Poor is slower by a tenth and more than most of the other drivers, in the median of the workloads on large files that nothing cached; good is not that. ${driver} on the other side of it with either sort of files would change the verdict.`,
    parts: (view) =>
      ofEach(view, driver, (subject) => [
        against(view, subject, largeFiles(true), poorAbove, `above ${bytesText(BORDER)}`),
        against(view, subject, largeFiles(false), !poorAbove, `up to ${bytesText(BORDER)}`),
      ]),
  };
}

/** Devicemapper and large files. */
export const devicemapperSizes: Claim = bySize(3, 'devicemapper', true);
/** Btrfs and large files. */
export const btrfsSizes: Claim = bySize(4, 'btrfs', false);

/** What is a matter of speed; the harness itself is none. */
function isSpeed({ unit, group }: Workload): boolean {
  return group !== 'harness' && (unit === 'ms' || unit === 'bytes/s' || unit === 'ops/s');
}

/** How a subject stands to all other drivers; `ask` is what must be so of each. */
function toEach(
  view: View,
  subject: Subject,
  others: readonly Subject[],
  chosen: Choice,
  ask: (ratio: ReturnType<typeof relateOverall>['ratio']) => Answer,
): Part[] {
  const name = view.name(subject);
  const far = others.filter((other) => !isOneMeasure(view.figures, subject, other));
  const near = others.filter((other) => !far.includes(other));
  const parts = near.map((other) => {
    const overall = relateOverall(view.figures, subject, other, chosen);
    const needs = `${SIX}, ${name} and ${view.name(other)}, or narrower intervals`;
    if (overall.workloads === 0) return unknown(needs);
    const text = `${relationText(view, { subject, other, ...overall })} over ${overall.workloads} workloads`;
    return part(ask(overall.ratio), text, needs);
  });
  return [...parts, ...(far.length === 0 ? [] : [unknown(oneMeasure(view, subject, far))])];
}

/** Zfs and speed. */
export const zfsSlower: Claim = {
  number: 5,
  title: 'zfs is slower overall',
  workloads: [],
  claim: 'zfs is slower overall than the others',
  change:
    'One driver that is not faster than zfs by 5 % in the median over all workloads that measure speed.',
  parts: (view) =>
    ofEach(view, 'zfs', (subject) => {
      const others = view.drivers.filter(({ driver }) => driver !== 'zfs');
      if (others.length === 0) return [unknown('another driver beside zfs')];
      return toEach(view, subject, others, isSpeed, (ratio) => not(above(ratio, 1 / 1.05)));
    }),
};

const READS = /^(large\.read|small\.read|parallel\.read-(?!file-tree-mounted))/;
const WRITES = /^(large\.write|small\.create|small\.untar)/;

/** Aufs beside overlay2. */
export const aufsReads: Claim = {
  number: 6,
  title: 'aufs reads slower than overlay2 and writes faster',
  workloads: ['large-files', 'small-files', 'parallel'],
  claim: 'aufs reads slower than overlay2 and writes faster',
  change:
    'aufs reading no slower than overlay2 in the median of the reading workloads, or writing no faster in that of the writing ones, by 5 % either.',
  parts: (view) =>
    ofEach(view, 'aufs', (subject) => {
      const others = view.of('overlay2').filter(({ backing }) => backing === subject.backing);
      if (view.of('overlay2').length === 0) return [{ ...unknown(''), lacks: 'overlay2' }];
      if (others.length === 0)
        return [unknown(`overlay2 on ${subject.backing}, as ${view.name(subject)} was measured`)];
      const reads: Choice = ({ id }) => READS.test(id);
      const writes: Choice = ({ id }) => WRITES.test(id);
      const named = (word: string, parts: readonly Part[]): Part[] =>
        parts.map((one) => ({ ...one, text: one.text === '' ? '' : `${word} ${one.text}` }));
      return [
        ...named(
          'reads',
          toEach(view, subject, others, reads, (ratio) => not(above(ratio, 1 / 1.05))),
        ),
        ...named(
          'writes',
          toEach(view, subject, others, writes, (ratio) => above(ratio, 1.05)),
        ),
      ];
    }),
};

const LIMIT = 1.05;
const BEYOND_COPY_UP =
  /^(large\.|small\.(create|read|stat|list|walk|untar)|database\.|parallel\.read-(?!file-tree-mounted))/;

/** The raw filesystem as the upper bound. */
export const rawBound: Claim = {
  number: 11,
  title: "overlay2's penalty beyond copy-up is under 5 %",
  workloads: ['large-files', 'small-files', 'parallel', 'database'],
  claim:
    "the raw filesystem, or a volume, is the upper bound; overlay2's penalty beyond copy-up is under 5 %",
  change:
    'overlay2 faster by 5 % than its raw filesystem in the median of the workloads; a single workload beyond copy-up in which overlay2 surely loses more than 5 %, or one more in which it surely does not.',
  parts: (view) => [
    ...ofEach(view, 'overlay2', (subject) => penalty(view, subject)),
    ...view.of('overlay2').flatMap((subject) => {
      const raw = view.figures.result.subjects.find(({ id }) => id === subject.baseline);
      if (raw === undefined) return [];
      return toEach(view, subject, [raw], isBeyondCopyUp, (ratio) => not(above(ratio, LIMIT)));
    }),
  ],
};

function isBeyondCopyUp({ id }: Workload): boolean {
  return BEYOND_COPY_UP.test(id);
}

/** What overlay2 loses to its filesystem: in the median, and in no single workload for sure more than the limit. */
function penalty(view: View, subject: Subject): Part[] {
  const { figures } = view;
  const name = view.name(subject);
  const raw = figures.result.subjects.find(({ id }) => id === subject.baseline);
  if (raw === undefined) return [unknown(`the raw filesystem beneath ${name}, which was not measured`)];
  const relations = figures.result.workloads.filter(isBeyondCopyUp).flatMap((workload) => {
    const relation = relate(figures, raw, subject, ({ id }) => id === workload.id);
    return relation === undefined ? [] : [{ workload, relation }];
  });
  const overall = relateOverall(figures, raw, subject, isBeyondCopyUp);
  const judged = judge(
    relations.map(({ relation }) => relation),
    LIMIT,
  );
  const beyond = relations
    .filter((_, index) => judged[index]?.among === 'larger')
    .toSorted((a, b) => b.relation.ratio.value - a.relation.ratio.value);
  const worst = beyond
    .slice(0, 3)
    .map(({ workload, relation }) => `${timesText(relation.ratio)} in ${workload.id}`);
  const answer = every([beyond.length > 0 ? 'no' : 'yes', not(above(overall.ratio, LIMIT))]);
  const list = worst.length === 0 ? '' : `, surely beyond 5 % in ${beyond.length}: ${worst.join(', ')}`;
  const needs = `${SIX}, ${name} and ${view.name(raw)}, or narrower intervals`;
  if (overall.workloads === 0) return [unknown(needs)];
  const text = `the raw filesystem over ${overall.workloads} workloads ${timesText(overall.ratio)} ${name}${list}`;
  return [part(answer, text, needs)];
}
