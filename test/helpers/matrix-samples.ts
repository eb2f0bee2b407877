/** Matrices for tests. */
import type { Cell, Feature, KernelResult, Matrix } from '../../src/lab/matrix/schema.ts';

/** A cell that works, but for what is given. */
export function cell(given: Partial<Cell> = {}): Cell {
  const tests = { passed: 57, failed: 0, excused: 0 };
  const base: Cell = {
    driver: 'overlay2',
    backing: 'ext4',
    status: 'works',
    reasons: [],
    tests,
    seconds: 1,
    log: 'ok',
  };
  return { ...base, ...given };
}

/** A feature that is there, but for what is given. */
export function feature(given: Partial<Feature> = {}): Feature {
  return { name: 'metacopy', backing: 'ext4', answer: 'yes', reason: '', ...given };
}

/** A kernel without cells, but for what is given. */
export function kernel(given: Partial<KernelResult> = {}): KernelResult {
  return {
    ...{ name: 'host', release: '6.1.0', build: '#1 SMP', machine: 'x86_64', error: null, bootSeconds: null },
    ...{ seconds: 1, features: [], cells: [] },
    ...given,
  };
}

/** A matrix of these kernels. */
export function matrix(...kernels: KernelResult[]): Matrix {
  return {
    ...{ version: 1, made: '2026-01-01T00:00:00.000Z', tsengine: { version: '0.1.0', commit: 'abc' } },
    ...{ command: 'tsengine lab matrix --kernels host', slow: false },
    version: 1,
    kernels,
  };
}
