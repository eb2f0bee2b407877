/** Claims on what the first change of a file of the image costs. */
import type { Subject } from '../../schema.ts';
import { figureText } from '../wording.ts';
import {
  above,
  type Claim,
  growthOf,
  not,
  ofEach,
  type Part,
  part,
  unknown,
  type View,
  wider,
} from './evidence.ts';

const LATENCY = 'copy-up.byte.latency';

/** Times as much for a file that is at least `FAR` times as large: above is growth with the file, below is flat. */
const GROWTH = 2;
const FAR = 256;

/** Overlay2 copies whole files, devicemapper blocks. */
export const wholeFiles: Claim = {
  number: 1,
  title: 'overlay2 copies whole files, devicemapper only blocks',
  workloads: ['copy-up.byte'],
  claim:
    'overlay2 copies the whole file for a small change, so that the cost grows with the file; devicemapper copies only the blocks, and its cost is flat',
  change: `overlay2's first write of a byte growing less than ${GROWTH} times to a file ${FAR} times as large or more (reflinks do that), or devicemapper's growing more.`,
  parts: (view) => [
    ...ofEach(view, 'overlay2', (subject) => growsWithFile(view, subject, true)),
    ...ofEach(view, 'devicemapper', (subject) => growsWithFile(view, subject, false)),
  ],
};

function growsWithFile(view: View, subject: Subject, should: boolean): Part[] {
  const name = view.name(subject);
  const growth = growthOf(view.figures, subject, { workload: LATENCY, scale: 'lower' });
  const needs = `first writes of ${name} to files of two sizes, ${FAR} times apart, four turns each or more`;
  if (growth === undefined || growth.to < FAR * growth.from) return [unknown(needs)];
  const grows = above(growth.ratio, GROWTH);
  const written = view.figures
    .of(subject.id, 'copy-up.byte.written')
    .find(({ point, values }) => point.lower === growth.to && values.length > 0);
  const bytes =
    written === undefined ? '' : `, for which it wrote ${figureText(written.median, 'bytes')} to disk`;
  const limit = `more turns of ${name}: the interval holds the limit of ${GROWTH} times`;
  return [
    part(should ? grows : not(grows), `${name} ${growth.text}${bytes}`, wider(growth.ratio, needs, limit)),
  ];
}

/** Times as much in the lowest layer as in the first: above is a price of depth. */
const DEPTH = 1.1;

/** Aufs looks through all branches. */
export const depth: Claim = {
  number: 2,
  title: 'aufs pays for depth, overlay2 does not',
  workloads: ['copy-up.byte'],
  claim: 'aufs pays more the lower the layer that holds the file; overlay2 does not',
  change: `aufs changing the smallest file in the lowest layer within ${percent(DEPTH)} of the first one, or overlay2 beyond that.`,
  parts: (view) => [
    ...ofEach(view, 'aufs', (subject) => paysForDepth(view, subject, true)),
    ...ofEach(view, 'overlay2', (subject) => paysForDepth(view, subject, false)),
  ],
};

function percent(factor: number): string {
  return `${Math.round((factor - 1) * 100)} %`;
}

function paysForDepth(view: View, subject: Subject, should: boolean): Part[] {
  const name = view.name(subject);
  // In a large file the copy hides what it takes to find it.
  const sizes = view.figures
    .of(subject.id, LATENCY)
    .flatMap(({ values, point }) => (values.length === 0 ? [] : [point.lower ?? 0]));
  const least = Math.min(...sizes);
  const growth = growthOf(view.figures, subject, {
    ...{ workload: LATENCY, scale: 'depth' },
    at: ({ lower = 0 }) => lower === least,
  });
  const needs = `first writes of ${name} in layers of two depths, ten times apart, four turns each or more`;
  if (growth === undefined || growth.to < 10 * growth.from) return [unknown(needs)];
  const pays = above(growth.ratio, DEPTH);
  const text = `${name} ${growth.text}`;
  return [
    part(
      should ? pays : not(pays),
      text,
      wider(growth.ratio, needs, `more turns of ${name}: the interval holds ${percent(DEPTH)}`),
    ),
  ];
}
