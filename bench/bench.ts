/** What a workload is given, and gives back. */
import { type Comparison, conclude, type Measured } from './comparison.ts';
import { type Contestant, measureRounds } from './measure.ts';

/** A workload: prepares what it needs, measures, removes what it made. One that cannot run throws. */
export interface Workload {
  /** For `--only`. */
  readonly name: string;
  run(bench: Bench): Promise<readonly Comparison[]>;
}

/** What is measured, and how. */
export interface Plan extends Omit<Measured, 'values'> {
  readonly contestants: readonly Contestant[];
  /** How many times the usual number of runs: for what takes a fraction of a second. */
  readonly times?: number;
  readonly warmups?: number;
}

/** How thorough the measurement is, and where one says how far it is. */
export interface Bench {
  readonly runs: number;
  /** Only tried out: workloads may be smaller. */
  readonly quick: boolean;
  progress(text: string): void;
}

/** Measures a plan's contestants in turn and judges its claims. */
export async function compare(bench: Bench, plan: Plan): Promise<Comparison> {
  const { contestants, times = 1, warmups = 1, ...rest } = plan;
  const values = await measureRounds(contestants, {
    runs: bench.runs * (bench.quick ? 1 : times),
    warmups,
    progress: (text) => bench.progress(`${plan.title}: ${text}`),
  });
  return conclude({ ...rest, values });
}
