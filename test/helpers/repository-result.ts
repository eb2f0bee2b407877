/** Recorded results of the repository benchmark whose answers are known. */
import { type Comparison, REPOSITORY_VERSION, type RepositoryResult } from '../../bench/schema.ts';

/** Series of values, in the order in which they were measured. */
export function recordedComparison(
  parts: Pick<Comparison, 'name'> & Partial<Comparison>,
  series: Readonly<Record<string, readonly number[]>>,
): Comparison {
  return {
    ...{ title: parts.name, unit: 'ms', machine: 'host', claims: [], notes: [] },
    ...parts,
    series: Object.entries(series).map(([name, values]) => ({
      name,
      samples: values.map((value, at) => ({ value, at })),
    })),
  };
}

/** A result with these comparisons. */
export function recordedResult(comparisons: readonly Comparison[]): RepositoryResult {
  return {
    ...{ version: REPOSITORY_VERSION, benchmark: 'repository', tsengine: '0.1.0', commit: 'abc1234' },
    ...{ command: 'npm run bench --', started: '2026-11-30T12:00:00.000Z', seconds: 60, seed: 1, runs: 10 },
    ...{ quick: false, interrupted: false, missing: [] },
    machines: [
      {
        ...{ id: 'host', isVirtual: false, kernel: '6.18.44', processor: 'AMD EPYC', processors: 2 },
        ...{ memory: 8 * 1024 ** 3, disk: { filesystem: 'ext4', device: '/dev/vda' }, loadBefore: 0.25 },
        versions: { docker: '20.10.24', podman: '4.3.1', node: 'v24.21.0', unpigz: 'none' },
      },
    ],
    comparisons: [...comparisons],
  };
}
