/** Random numbers that are the same for the same seed: the order of runs, and what is drawn again in statistics. */

/** A source of numbers from 0 up to but not including 1. */
export type Random = () => number;

/** Mulberry32: 32 bits of state, good enough to shuffle with. The seed is taken modulo 2^32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same things in random order (Fisher and Yates). */
export function shuffled<T>(list: readonly T[], random: Random): T[] {
  const taken = [...list];
  const result: T[] = [];
  while (taken.length > 0) result.push(...taken.splice(Math.floor(random() * taken.length), 1));
  return result;
}
