/** What two results were measured under: whether it was the same machine, and what else is not the same. */
import type { Machine, Result, Subject } from '../schema.ts';

/** Of one machine that both results have. */
export interface Conditions {
  /** Its id in the later result. */
  readonly machine: string;
  /** What makes it another machine: its times say nothing against those of before. */
  readonly foreign: readonly string[];
  /** What else has changed, which may be what somebody wants to know the effect of. */
  readonly changed: readonly string[];
}

/** Of a disk, what it is. The rest is how it is used, and somebody may want to know what another way costs. */
const HARDWARE: ReadonlySet<string> = new Set(['model', 'rotational']);

/** Compares a machine with what it was. */
export function conditionsOf(before: Machine, after: Machine): Conditions {
  const foreign = [
    ...differing('processor', before.processor, after.processor),
    ...differing('number of processors', before.processors, after.processors),
    ...(isClose(before.memory, after.memory) ? [] : differing('memory', before.memory, after.memory)),
    ...differing('kind of machine', kindOf(before), kindOf(after)),
    ...differingWords(before.disk, after.disk, (name) => HARDWARE.has(name)),
  ];
  const changed = [
    ...differing('kernel', before.kernel, after.kernel),
    ...differingWords(before.disk, after.disk, (name) => !HARDWARE.has(name)),
    // The kernel and this program are told apart from the others.
    ...differingWords(before.versions, after.versions, (name) => name !== 'kernel' && name !== 'tsengine'),
  ];
  return { machine: after.id, foreign, changed };
}

/** What has changed for one subject: how its store was made and mounted. */
export function changesOf(before: Subject, after: Subject): string[] {
  return [
    ...differing('mkfs', before.mkfs, after.mkfs),
    ...differing('mount options', before.mountOptions, after.mountOptions),
    ...differing('storage options', before.storageOptions.join(' '), after.storageOptions.join(' ')),
    ...differing('stand-in', before.standIn ?? 'none', after.standIn ?? 'none'),
    ...differing('size of the store', before.size, after.size),
  ].map((change) => `${after.id}: ${change}`);
}

/** What differs in the results as wholes. */
export function buildsOf(before: Result, after: Result): string[] {
  return differing('tsengine', before.tsengine, after.tsengine);
}

/** Which of them were ended before their time: they have fewer figures, and fewer values of each. */
export function endsOf(before: Result, after: Result, names: readonly [string, string]): string[] {
  return [before, after].flatMap(({ interrupted }, index) =>
    interrupted ? [`${names[index]} was ended before its time`] : [],
  );
}

function kindOf({ isVirtual }: Machine): string {
  return isVirtual ? 'a machine of the lab' : 'not one of the lab';
}

/** A kernel keeps some memory for itself, and each another amount. */
function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= 0.03 * Math.max(a, b);
}

function differing(what: string, before: string | number, after: string | number): string[] {
  return before === after ? [] : [`${what} ${nonEmpty(before)} -> ${nonEmpty(after)}`];
}

function nonEmpty(value: string | number): string {
  return value === '' ? 'none' : String(value);
}

function differingWords(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  counts: (name: string) => boolean,
): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(counts);
  return names.flatMap((name) => differing(name, before[name] ?? 'unknown', after[name] ?? 'unknown'));
}
