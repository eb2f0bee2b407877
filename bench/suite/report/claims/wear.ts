/** Claims on builds, on files that were overwritten, and on many processes at once. */
import { contrastOf, HALF_CONFIDENCE, quotientOf } from '../../compare/contrast.ts';
import type { Subject } from '../../schema.ts';
import { type Figure, worths } from '../figures.ts';
import { relate } from '../relation.ts';
import { figureText, timesText } from '../wording.ts';
import {
  above,
  type Claim,
  NOTABLE,
  ofEach,
  type Part,
  part,
  relationText,
  single,
  unknown,
  type View,
} from './evidence.ts';

/** Files of copy-on-write filesystems after random writes. */
export const overwritten: Claim = {
  number: 8,
  title: 'zfs and btrfs read slower after overwrites',
  workloads: ['churn.read'],
  claim: 'zfs (and btrfs) read slower in sequence after random overwrites',
  change: 'Reading as fast after the overwrites as before, to a tenth, on either.',
  parts: (view) =>
    ['zfs', 'btrfs'].flatMap((driver) => ofEach(view, driver, (subject) => readsAfter(view, subject))),
};

function readsAfter(view: View, subject: Subject): Part[] {
  const name = view.name(subject);
  const needs = `sequential reads of ${name} before and after overwrites, four turns each or more, further from a tenth`;
  const [before, after] = ['churn.read.before', 'churn.read.after'].map((id) =>
    single(view.figures, subject, id),
  );
  if (before === undefined || after === undefined) return [unknown(needs)];
  const contrast = contrastOf([{ values: worths(before), baseline: worths(after) }]);
  if (contrast === undefined) return [unknown(needs)];
  const medians = [before, after].map(({ median, workload }) => figureText(median, workload.unit));
  const text = `${name} ${medians.join(' before, ')} after: ${timesText(contrast.ratio)} as fast before`;
  return [part(above(contrast.ratio, NOTABLE), text, needs)];
}

/** Btrfs and builds. */
export const builds: Claim = {
  number: 10,
  title: 'btrfs builds images efficiently',
  workloads: ['layers.build'],
  claim: 'btrfs makes image builds efficient',
  change: 'Another driver that makes the 50 layers faster by a tenth and more.',
  parts: (view) =>
    ofEach(view, 'btrfs', (subject) => {
      const others = view.drivers.filter(({ driver }) => driver !== 'btrfs');
      if (others.length === 0) return [unknown('another driver beside btrfs')];
      return others.map((other) => {
        const needs = `builds of ${view.name(subject)} and ${view.name(other)}, four turns each or more`;
        const relation = relate(view.figures, subject, other, ({ id }) => id === 'layers.build');
        if (relation === undefined) return unknown(needs);
        return part(above(relation.ratio, 1 / NOTABLE), relationText(view, relation), needs);
      });
    }),
};

const TREE = 'parallel.append-to-file-tree';
const APPENDS = ['parallel.append-to-big-files', 'parallel.append-to-small-files', TREE] as const;

/** Times the slowdown of another driver: above is far more. */
const FAR_MORE = 1.5;

/** Aufs and many that append. */
export const appends: Claim = {
  number: 13,
  title: 'aufs slows down most when many append',
  workloads: ['parallel'],
  claim: 'aufs slows down far more than the others when many processes append at once, most in a deep tree',
  change: `A driver whose throughput falls from one process to many by more than aufs' divided by ${FAR_MORE}, or aufs losing more elsewhere than in the tree.`,
  parts: (view) =>
    ofEach(view, 'aufs', (subject) => {
      const others = view.drivers.filter(({ driver }) => driver !== 'aufs');
      if (others.length === 0) return [unknown('another driver beside aufs')];
      return [
        ...APPENDS.flatMap((workload) =>
          others.map((other) => slowsMore(view, [subject, workload], [other, workload], FAR_MORE)),
        ),
        ...APPENDS.filter((workload) => workload !== TREE).map((workload) =>
          slowsMore(view, [subject, TREE], [subject, workload], 1),
        ),
      ];
    }),
};

type Series = readonly [subject: Subject, workload: string];

/** Whether one loses more than another one by many processes: the quotient of their slowdowns is above a limit. */
function slowsMore(view: View, one: Series, other: Series, limit: number): Part {
  // To the most processes that both have: one of them may have failed at more.
  const [mine, others] = [one, other].map((series) => figuresAlong(view, series));
  const shared = (mine ?? []).flatMap(({ point }) =>
    (others ?? []).some((figure) => figure.point.parallel === point.parallel) ? [point.parallel ?? 0] : [],
  );
  const most = Math.max(...shared);
  const [a, b] = [mine, others].map((figures) => slowdownOf(figures ?? [], most));
  const name = ([subject, workload]: Series): string => `${view.name(subject)} in ${workload}`;
  const needs = `${name(one)} and ${name(other)} with one process and with many, five turns each or more`;
  if (a === undefined || b === undefined) return unknown(needs);
  const { ratio } = quotientOf(a, b);
  const text = `${name(one)} slows down ${timesText(a.ratio)} by ${most} processes, ${timesText(ratio)} as much as ${
    one[1] === other[1] ? view.name(other[0]) : `in ${other[1]}`
  }`;
  return part(above(ratio, limit), text, needs);
}

function figuresAlong(view: View, [subject, workload]: Series): readonly Figure[] {
  return view.figures.of(subject.id, workload).filter(({ values }) => values.length > 0);
}

/** By what factor the throughput falls from one process to so many. */
function slowdownOf(figures: readonly Figure[], most: number): ReturnType<typeof contrastOf> {
  const at = (parallel: number): Figure | undefined =>
    figures.find(({ point }) => point.parallel === parallel);
  const [first, last] = [at(1), at(most)];
  if (first === undefined || last === undefined || most <= 1) return undefined;
  return contrastOf([{ values: worths(first), baseline: worths(last) }], HALF_CONFIDENCE);
}
