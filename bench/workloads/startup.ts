/** A command that has nothing to do, against the floor: Node itself. */
import { type Bench, compare, type Workload } from '../bench.ts';
import { type Contestant, timed } from '../measure.ts';
import type { Comparison } from '../schema.ts';

/** `tsengine version`, warm, takes at most this many times what `node -e 0` does. */
const limit = 1.6;

const floor = 'node -e 0';

/** Start-up, from the launcher to the end of Node. */
export const startup: Workload = { name: 'startup', run: async (bench) => [await measureStartup(bench)] };

async function measureStartup(bench: Bench): Promise<Comparison> {
  const commands: readonly (readonly [string, ...string[]])[] = [
    [bench.launcher, 'version'],
    [bench.launcher, '--help'],
  ];
  const contestants: Contestant[] = [
    { name: floor, sample: async () => ({ [floor]: timed({ argv: [process.execPath, '-e', '0'] }) }) },
    ...commands.map((argv): Contestant => {
      const name = `tsengine ${argv[1]}`;
      return { name, sample: async () => ({ [name]: timed({ argv }) }) };
    }),
  ];
  return await compare(bench, {
    name: 'startup',
    title: 'start-up',
    unit: 'ms',
    contestants,
    claims: [
      { series: 'tsengine version', baseline: floor, limit },
      { series: 'tsengine --help', baseline: floor },
    ],
    times: 4,
    warmups: 2,
  });
}
