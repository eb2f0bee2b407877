/** Claims on memory and disk space. */
import type { Subject } from '../../schema.ts';
import { relate } from '../relation.ts';
import { bytesText, figureText, timesText, valueText } from '../wording.ts';
import {
  above,
  type Claim,
  growthOf,
  medianAbove,
  not,
  ofEach,
  type Part,
  part,
  single,
  unknown,
  type View,
} from './evidence.ts';

/** Times the page cache of one container: below is one copy for all. */
const SHARED = 2;

/** Who keeps a copy for each container. */
export const pageCache: Claim = {
  number: 7,
  claim:
    'devicemapper and btrfs keep a page-cache copy for each container that reads the same file; overlay2, aufs and zfs share one',
  change: `A copy each is more page cache than half of one container's times the number of containers, a shared one less than ${SHARED} times: devicemapper or btrfs below the first, or overlay2, aufs or zfs above the second.`,
  parts: (view) => [
    ...['devicemapper', 'btrfs'].flatMap((driver) =>
      ofEach(view, driver, (subject) => cacheGrowth(view, subject, true)),
    ),
    ...['overlay2', 'aufs', 'zfs'].flatMap((driver) =>
      ofEach(view, driver, (subject) => cacheGrowth(view, subject, false)),
    ),
  ],
};

function cacheGrowth(view: View, subject: Subject, isCopied: boolean): Part[] {
  const name = view.name(subject);
  // The next number above one: a hundred copies are more than any memory that this is measured in.
  const growth = growthOf(view.figures, subject, {
    workload: 'density.page-cache',
    scale: 'containers',
    firstAbove: 1,
  });
  const needs = `the page cache of ${name} with one container and with several, four turns each or more`;
  if (growth === undefined) return [unknown(needs)];
  const limit = isCopied ? growth.to / growth.from / 2 : SHARED;
  const isMore = above(growth.ratio, limit);
  const wider = `more turns of ${name}: the interval holds the limit of ${limit} times`;
  return [part(isCopied ? isMore : not(isMore), `${name} ${growth.text}`, wider)];
}

/** Of space that 200 containers leave: 40 KiB each. */
const LEAK = 8 * 1024 * 1024;

/** Who loses space. */
export const leaks: Claim = {
  number: 9,
  claim: 'container start and stop churn leaks space on devicemapper and btrfs',
  change: `Less than ${bytesText(LEAK)} that do not come back after 200 containers, on either.`,
  parts: (view) =>
    ['devicemapper', 'btrfs'].flatMap((driver) =>
      ofEach(view, driver, (subject) => {
        const name = view.name(subject);
        const needs = `five turns or more of the space that churn takes on ${name}, all on one side of ${bytesText(LEAK)}`;
        const figure = single(view.figures, subject, 'churn.space');
        if (figure === undefined) return [unknown(needs)];
        const text = `${name} ${figureText(figure.median, 'bytes')} after 200 containers`;
        return [part(medianAbove(figure, LEAK), text, needs)];
      }),
    ),
};

/** Times the disk space of another driver: above is a copy of the image. */
const COPY = 4;

/** Vfs and reflinks. */
export const fullCopies: Claim = {
  number: 12,
  claim: 'vfs costs a full copy a layer, except on a filesystem with reflinks',
  change: `vfs taking less than ${COPY} times the disk of another driver for each container where there are no reflinks, or more where there are.`,
  parts: (view) => {
    const all = view.of('vfs');
    const [linked, plain] = [true, false].map((isLinked) =>
      all.filter((one) => hasReflinks(one) === isLinked),
    );
    return [...copies(view, plain ?? [], true), ...copies(view, linked ?? [], false)];
  },
};

/** Whether its filesystem shares blocks between files: btrfs always, xfs unless it was made without. */
function hasReflinks({ backing, mkfs }: Subject): boolean {
  return backing.startsWith('btrfs') || (backing.startsWith('xfs') && !mkfs.includes('reflink=0'));
}

function copies(view: View, subjects: readonly Subject[], isCopied: boolean): Part[] {
  const where = isCopied ? 'without reflinks' : 'with reflinks';
  if (subjects.length === 0) return [unknown(`vfs on a filesystem ${where}`)];
  return subjects.flatMap((subject) => {
    const name = view.name(subject);
    const needs = `disk space for each container of ${name} and of another driver, four turns each or more`;
    const others = view.drivers.filter(({ driver }) => driver !== 'vfs');
    const relations = others.flatMap(
      (other) => relate(view.figures, other, subject, ({ id }) => id === 'density.disk') ?? [],
    );
    // The thriftiest of the others.
    const [best] = relations.toSorted((a, b) => b.ratio.value - a.ratio.value);
    const own = view.figures.of(subject.id, 'density.disk').find(({ values }) => values.length > 0);
    if (best === undefined || own === undefined) return [unknown(needs)];
    const isCopy = above(best.ratio, COPY);
    const text = `${where}, ${name} takes ${valueText(own.median.value, 'bytes')} a container, ${timesText(best.ratio)} what ${view.name(best.subject)} takes`;
    return [
      part(isCopied ? isCopy : not(isCopy), text, `more turns of ${name}: the interval holds ${COPY} times`),
    ];
  });
}
