/**
 * Which samples count by themselves. A subject is measured in turns with the others, and the samples of one turn hang together:
 * they are of one container, one state of the disk and of its caches. Taken for independent they make intervals too narrow, and
 * differences are found between halves of the same run. So a turn counts once, with the median of its samples.
 */
import type { Result, Sample, Series } from '../schema.ts';
import { median } from '../statistics.ts';

/** The independent values of a series, one for each turn, in the order of time. */
export interface TurnValues {
  readonly values: readonly number[];
  /** Which turn each is of: what a subject measured in the same turn has the same number. */
  readonly turns: readonly number[];
}

/**
 * Finds the turns of a result: by the numbers that samples carry, and where they carry none, by when they ended: a turn lasts until
 * another subject of the same machine has one. Where a machine measured one subject only there are no turns, and every sample
 * counts.
 */
export function turnsOf(result: Result): (series: Series) => TurnValues {
  const turns = new Map<Sample, number>();
  let turn = 0;
  for (const machine of new Set(result.subjects.map((subject) => subject.machine))) {
    const own = new Set(result.subjects.flatMap((one) => (one.machine === machine ? [one.id] : [])));
    const samples = result.series
      .filter(({ subject }) => own.has(subject))
      .flatMap(({ subject, samples: list }) => list.map((sample) => ({ subject, sample })))
      .sort((a, b) => a.sample.at - b.sample.at);
    const isAlone = new Set(samples.map(({ subject }) => subject)).size < 2;
    const numbered = new Map<string, number>();
    let last: string | undefined;
    for (const { subject, sample } of samples) {
      const number = sample.turn === undefined ? undefined : `${subject} ${sample.turn}`;
      const known = number === undefined ? undefined : numbered.get(number);
      const isNew = number === undefined ? isAlone || last !== subject : known === undefined;
      if (isNew) turn += 1;
      if (number !== undefined && isNew) numbered.set(number, turn);
      turns.set(sample, known ?? turn);
      last = subject;
    }
  }
  return ({ samples, thinned }) => {
    if (thinned !== undefined) return { values: thinned.values, turns: thinned.turns };
    const found = new Map<number, number[]>();
    for (const sample of samples) {
      const own = turns.get(sample) ?? 0;
      found.set(own, [...(found.get(own) ?? []), sample.value]);
    }
    const sorted = [...found].sort(([a], [b]) => a - b);
    return { values: sorted.map(([, list]) => median(list)), turns: sorted.map(([own]) => own) };
  };
}
