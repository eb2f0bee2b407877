/** What the literature says of storage drivers, each with the verdict of this run. */
import type { Figures } from '../figures.ts';
import { depth, wholeFiles } from './copy-up.ts';
import { type Claim, every, type View, viewOf } from './evidence.ts';
import { aufsReads, btrfsSizes, devicemapperSizes, rawBound, zfsSlower } from './overall.ts';
import { fullCopies, leaks, pageCache } from './space.ts';
import { appends, builds, overwritten } from './wear.ts';

/** All claims, by their numbers. */
export const CLAIMS: readonly Claim[] = [
  wholeFiles,
  depth,
  devicemapperSizes,
  btrfsSizes,
  zfsSlower,
  aufsReads,
  pageCache,
  overwritten,
  leaks,
  builds,
  rawBound,
  fullCopies,
  appends,
];

/** What a run may say of a claim. */
export const VERDICTS = ['holds', 'does not hold', 'not measurable here'] as const;

/** A claim with its verdict. */
export interface ClaimVerdict {
  readonly number: number;
  readonly claim: string;
  readonly verdict: (typeof VERDICTS)[number];
  /** The figures in words, each a sentence or less. */
  readonly figures: readonly string[];
  /** What would change the verdict, or make one. */
  readonly change: string;
  /** What the figures say with another program in the place of a driver, where there is no verdict without; else empty. */
  readonly standIn: string;
}

/** Judges all claims. */
export function judgeClaims(figures: Figures): ClaimVerdict[] {
  const [real, all] = [viewOf(figures, false), viewOf(figures, true)];
  return CLAIMS.map((claim) => {
    const verdict = judgeClaim(claim, real);
    const standIns = all.drivers.filter(({ standIn }) => standIn !== null);
    if (verdict.verdict !== 'not measurable here' || standIns.length === 0) return verdict;
    const other = judgeClaim(claim, all);
    if (other.verdict === 'not measurable here') return verdict;
    const names = standIns.map(({ driver, standIn }) => `${standIn} in the place of ${driver}`);
    return {
      ...verdict,
      standIn: `With ${[...new Set(names)].join(' and ')} it ${other.verdict}: ${shortened(other.figures)}`,
    };
  });
}

/** What stands in is an aside: the first few figures are enough. */
function shortened(figures: readonly string[]): string {
  const more = figures.length - 4;
  return [...figures.slice(0, 4), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function judgeClaim({ number, claim, change, parts }: Claim, view: View): ClaimVerdict {
  const found = parts(view);
  const answer = every(found.map((part) => part.answer));
  const figures = found.map(({ text }) => text).filter((text) => text !== '');
  const needs = found.map((part) => part.needs).filter((one) => one !== '');
  const verdict = answer === 'yes' ? 'holds' : answer === 'no' ? 'does not hold' : 'not measurable here';
  return {
    number,
    claim,
    verdict,
    figures,
    change: answer === 'open' ? `It needs ${[...new Set(needs)].join('; ')}.` : change,
    standIn: '',
  };
}
