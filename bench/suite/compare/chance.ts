/**
 * How likely it is that chance alone made a difference, and what is left of many differences that were looked for at once.
 * Of a thousand intervals of 95 % that are laid around nothing, fifty miss it.
 */

/** The difference of two means of logarithms: itself, its variance, and the degrees of freedom of that. */
export interface Spread {
  readonly difference: number;
  readonly variance: number;
  readonly freedom: number;
}

/** The spread of the logarithms of two lists of values above zero (Welch). */
export function spreadOf(values: readonly number[], baseline: readonly number[]): Spread {
  const [a, b] = [momentsOf(values), momentsOf(baseline)];
  return {
    difference: a.mean - b.mean,
    variance: a.variance + b.variance,
    freedom: freedomOf(a, b),
  };
}

/** The difference of two differences that have nothing to do with each other. */
export function spreadBetween(a: Spread, b: Spread): Spread {
  return {
    difference: a.difference - b.difference,
    variance: a.variance + b.variance,
    freedom: freedomOf(a, b),
  };
}

interface Term {
  readonly variance: number;
  readonly freedom: number;
}

/** Satterthwaite's degrees of freedom of a sum of variances. */
function freedomOf(a: Term, b: Term): number {
  if (a.freedom <= 0 || b.freedom <= 0) return 0;
  const parts = a.variance ** 2 / a.freedom + b.variance ** 2 / b.freedom;
  return parts === 0 ? a.freedom + b.freedom : (a.variance + b.variance) ** 2 / parts;
}

/** Mean of the logarithms, and the variance of that mean. */
function momentsOf(values: readonly number[]): Term & { readonly mean: number } {
  const logs = values.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const freedom = logs.length - 1;
  const squares = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0);
  return { mean, freedom, variance: freedom < 1 ? 0 : squares / freedom / logs.length };
}

/** The chance of a difference at least as far beyond `margin` (a factor), on either side, if there were none beyond it. */
export function chanceBeyond({ difference, variance, freedom }: Spread, margin: number): number {
  const beyond = Math.abs(difference) - Math.log(margin);
  if (!(freedom > 0) || !(beyond > 0)) return 1;
  if (variance === 0) return 0;
  return Math.min(1, 2 * studentTail(beyond / Math.sqrt(variance), freedom));
}

/** The chance that a value of Student's distribution is above `t`, which is not below zero. */
export function studentTail(t: number, freedom: number): number {
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
}

/** The regularised incomplete beta function, by its continued fraction (Lentz). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on one side; the other is its mirror.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  const safe = (value: number): number => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / safe(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let n = 1; n < 500; n++) {
    const even = (n * (b - n) * x) / ((a + 2 * n - 1) * (a + 2 * n));
    d = 1 / safe(1 + even * d);
    c = safe(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + n) * (a + b + n) * x) / ((a + 2 * n) * (a + 2 * n + 1));
    d = 1 / safe(1 + odd * d);
    c = safe(1 + odd / c);
    const step = d * c;
    fraction *= step;
    if (Math.abs(step - 1) < 1e-12) break;
  }
  return (front * fraction) / a;
}

/** Stirling's series, after the argument has been brought above 10. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 10; z++) shift += Math.log(z);
  const series = 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5);
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - shift;
}

/** Which of many differences stand when the chance of a single false one among them is to be no more than `risk` (Holm). */
export function standing(chances: readonly number[], risk: number): boolean[] {
  const order = chances.map((chance, index) => ({ chance, index })).sort((a, b) => a.chance - b.chance);
  const stands = chances.map(() => false);
  for (const [place, { chance, index }] of order.entries()) {
    if (chance * (chances.length - place) > risk) break;
    stands[index] = true;
  }
  return stands;
}
