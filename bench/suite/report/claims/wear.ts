/** Claims on builds, on files that were overwritten, and on many processes at once. */
import { contrastOf, HALF_CONFIDENCE, quotientOf } from '../../compare/contrast.ts';
import type { Subject } from '../../schema.ts';
import type { Estimate } from '../../statistics.ts';
import { type Figure, worths } from '../figures.ts';
import { relate } from '../relation.ts';
import { factorText, timesText, valueText } from '../wording.ts';
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
  const medians = [before, after].map(({ median, workload }) => valueText(median.value, workload.unit));
  const text = `${name} ${medians.join(' before, ')} after: ${timesText(contrast.ratio)} as fast before`;
  return [part(above(contrast.ratio, NOTABLE), text, needs)];
}

/** Btrfs and builds. */
export const builds: Claim = {
  number: 10,
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
  const [a, b] = [one, other].map((series) => slowdownOf(view, series));
  const name = ([subject, workload]: Series): string => `${view.name(subject)} in ${workload}`;
  const needs = `${name(one)} and ${name(other)} with one process and with many, five turns each or more`;
  if (a === undefined || b === undefined) return unknown(needs);
  const { ratio } = quotientOf(a, b);
  const text = `${name(one)} slows down ${plain(a.ratio)} times, ${timesText(ratio)} as much as ${
    one[1] === other[1] ? view.name(other[0]) : `in ${other[1]}`
  }`;
  return part(above(ratio, limit), text, needs);
}

function plain({ value }: Estimate): string {
  return factorText(value);
}

/** By what factor the throughput falls from one process to the most that were tried. */
function slowdownOf(view: View, [subject, workload]: Series): ReturnType<typeof contrastOf> {
  const figures = view.figures.of(subject.id, workload).filter(({ values }) => values.length > 0);
  const at = ({ point }: Figure): number => point.parallel ?? 0;
  const [first, last] = [figures[0], figures.at(-1)];
  if (first === undefined || last === undefined || at(first) !== 1 || at(last) <= 1) return undefined;
  return contrastOf([{ values: worths(first), baseline: worths(last) }], HALF_CONFIDENCE);
}
