/** Claims on memory and disk space. */
import type { Subject } from '../../schema.ts';
import { medianEstimate } from '../../statistics.ts';
import { bytesText, figureText } from '../wording.ts';
import {
  above,
  type Claim,
  growthOf,
  medianAbove,
  not,
  ofEach,
  type Part,
  part,
  pooled,
  single,
  unknown,
  type View,
  wider,
} from './evidence.ts';

/** Times the page cache of one container: below is one copy for all. */
const SHARED = 2;

/** Who keeps a copy for each container. */
export const pageCache: Claim = {
  number: 7,
  title: 'devicemapper and btrfs cache a copy a container, the others one',
  workloads: ['density.page-cache'],
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
  const more = `more turns of ${name}: the interval holds the limit of ${limit} times`;
  return [part(isCopied ? isMore : not(isMore), `${name} ${growth.text}`, wider(growth.ratio, needs, more))];
}

/** Of space that 200 containers leave: 40 KiB each. */
const LEAK = 8 * 1024 * 1024;

/** Who loses space. */
export const leaks: Claim = {
  number: 9,
  title: 'churn leaks space on devicemapper and btrfs',
  workloads: ['churn.space'],
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
        return [part(medianAbove(figure.values, LEAK), text, needs)];
      }),
    ),
};

/** Bytes of the image that the containers of `density.disk` are of, at the least; more than half of it is a copy. */
const IMAGE = 256 * 1024 * 1024;
const COPY = IMAGE / 2;

/** Vfs and reflinks. */
export const fullCopies: Claim = {
  number: 12,
  title: 'vfs copies each layer in full, but for reflinks',
  workloads: ['density.disk'],
  claim: 'vfs costs a full copy a layer, except on a filesystem with reflinks',
  change: `vfs taking less than ${bytesText(COPY)}, half of the image, for each container where there are no reflinks, or more where there are.`,
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
    const needs = `the disk space of each container of ${name} in five turns or more, all on one side of ${bytesText(COPY)}`;
    const values = pooled(view.figures.of(subject.id, 'density.disk'));
    if (values.length === 0) return [unknown(needs)];
    const isCopy = medianAbove(values, COPY);
    const taken = figureText(medianEstimate(values), 'bytes');
    const text = `${where}, ${name} takes ${taken} a container of an image of ${bytesText(IMAGE)}`;
    return [part(isCopied ? isCopy : not(isCopy), text, needs)];
  });
}
