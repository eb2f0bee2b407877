/** Random numbers that a seed repeats. */

/** Draws from one sequence. */
export interface Random {
  /** From 0 up to, and without, `limit`. */
  below(limit: number): number;
  /** One of them; `undefined` of none. */
  pick<T>(things: readonly T[]): T | undefined;
  /** One of the keys, each as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K;
}

/** A generator of Marsaglia's xorshift family, 32 bits: good enough to shuffle with. */
export function randomFrom(seed: number): Random {
  // Zero would stay zero; small seeds next to each other must not give sequences next to each other.
  let state = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < 8; i += 1) next();
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (things) => things[below(things.length)],
    weighted(weights) {
      const entries: [string, number][] = Object.entries(weights);
      let at = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const key in weights) {
        at -= weights[key];
        if (at < 0) return key;
      }
      throw new Error('no weights');
    },
  };
}

/** The seeds of a run: `TSENGINE_TEST_SEED` alone, or the ones that are always used. */
export function seedsFor(fixed: readonly number[]): readonly number[] {
  const given = Number(process.env.TSENGINE_TEST_SEED);
  return Number.isInteger(given) && given > 0 ? [given] : fixed;
}
