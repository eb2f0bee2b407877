/** What the literature says of storage drivers, each with the verdict of this run. */
import type { Figures } from '../figures.ts';
import { listText } from '../wording.ts';
import { depth, wholeFiles } from './copy-up.ts';
import { type Answer, type Claim, every, type Others, type Part, type View, viewOf } from './evidence.ts';
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

/** Some figures, and whether they are as the claim has it. */
export interface Finding {
  readonly answer: Answer;
  /** In words, a sentence or less. */
  readonly text: string;
  /** The id of the subject that it is about, where that is one. */
  readonly about: string | undefined;
}

/** A claim with its verdict. */
export interface ClaimVerdict {
  readonly number: number;
  readonly title: string;
  readonly claim: string;
  readonly verdict: (typeof VERDICTS)[number];
  readonly figures: readonly Finding[];
  /** What would change the verdict, or make one. */
  readonly change: string;
  /** Which stores of one driver differ in it; else empty. */
  readonly depends: string;
  /** What the figures say with another program in the place of a driver, where there is no verdict without; else empty. */
  readonly standIn: string;
  /** What `--workloads` measures it by; empty for all. */
  readonly workloads: readonly string[];
  /** Drivers that it is about and that were not measured. */
  readonly lacks: readonly string[];
}

/** Judges all claims. */
export function judgeClaims(figures: Figures): ClaimVerdict[] {
  const real = viewOf(figures);
  return CLAIMS.map((claim) => {
    const verdict = judgeClaim(claim, real);
    if (verdict.verdict !== 'not measurable here') return verdict;
    const asides = [{ standIns: true }, { peers: true }].map((others) => asideOf(claim, real, others));
    return { ...verdict, standIn: asides.filter((one) => one !== '').join(' ') };
  });
}

/** What is so with others in the places of drivers; empty where that gives no verdict either. */
function asideOf(claim: Claim, real: View, others: Others): string {
  const view = viewOf(real.figures, others);
  const more = view.drivers.filter((subject) => !real.drivers.includes(subject));
  if (more.length === 0) return '';
  const { verdict, figures } = judgeClaim(claim, view);
  if (verdict === 'not measurable here') return '';
  const names = more.map(({ driver, standIn, engine }) =>
    others.peers === true
      ? `${driver} of ${engine} in the place of ours`
      : `${standIn} in the place of ${driver}`,
  );
  // What is about the others stands there already.
  const said = figures.flatMap(({ text, about }) => (more.some(({ id }) => id === about) ? [text] : []));
  return `With ${[...new Set(names)].join(' and ')} it ${verdict}: ${shortened(said)}.`;
}

/** What stands in is an aside: the first few figures are enough. */
function shortened(figures: readonly string[]): string {
  const more = figures.length - 4;
  return [...figures.slice(0, 4), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function judgeClaim({ parts, change, ...claim }: Claim, view: View): ClaimVerdict {
  const found = parts(view);
  const answer = every(found.map((part) => part.answer));
  const { number, title, claim: sentence, workloads } = claim;
  return {
    ...{ number, title, claim: sentence, workloads },
    verdict: answer === 'yes' ? 'holds' : answer === 'no' ? 'does not hold' : 'not measurable here',
    figures: found.flatMap(({ text, answer: one, about }) =>
      text === '' ? [] : [{ answer: one, text, about: about?.id }],
    ),
    change: answer === 'open' ? needsText(found) : change,
    depends: dependsText(found, view),
    lacks: lackingOf(found),
    standIn: '',
  };
}

function lackingOf(parts: readonly Part[]): string[] {
  return [...new Set(parts.flatMap(({ lacks }) => lacks ?? []))];
}

/** Drivers that were not measured come first, in one breath. */
function needsText(parts: readonly Part[]): string {
  const lacking = lackingOf(parts);
  const were = lacking.length === 1 ? 'was' : 'were';
  const drivers = lacking.length === 0 ? [] : [`${listText(lacking)}, which ${were} not measured`];
  const needs = parts.map((part) => part.needs).filter((one) => one !== '');
  return `It needs ${[...drivers, ...new Set(needs)].join('; ')}.`;
}

/** `overlay2 on xfs is not as the claim has it, on ext4 it is`: one verdict would hide that. */
function dependsText(parts: readonly Part[], view: View): string {
  const drivers = new Set(parts.flatMap(({ about }) => about?.driver ?? []));
  return [...drivers]
    .flatMap((driver) => {
      const own = view.of(driver).map((subject) => {
        const answers = parts.flatMap(({ about, answer }) => (about === subject ? [answer] : []));
        return { name: view.name(subject), answer: every(answers) };
      });
      const named = (answer: Answer): string[] =>
        own.filter((one) => one.answer === answer).map(({ name }) => name);
      const [yes, no] = [named('yes'), named('no')];
      return yes.length === 0 || no.length === 0
        ? []
        : [`It depends on the store: so it is of ${listText(yes)}, and not of ${listText(no)}.`];
    })
    .join(' ');
}
