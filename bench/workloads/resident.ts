/** Nothing stays resident: what of tsengine still runs when a command has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, compare, type Workload } from '../bench.ts';
import { tinyArchive, tinyTag } from '../fixtures.ts';
import type { Contestant } from '../measure.ts';
import { openPeer } from '../peers/peer.ts';
import { processesOf } from '../peers/processes.ts';
import type { Comparison } from '../schema.ts';

/** Counts processes after each of several commands. */
export const resident: Workload = { name: 'resident', run: async (bench) => [await measureResident(bench)] };

/** How long a container's end may be recorded after the command that ended it, in milliseconds. */
const grace = 1000;

async function measureResident(bench: Bench): Promise<Comparison> {
  const archive = tinyArchive();
  await using peer = await openPeer(bench, { engine: 'tsengine', syncLayers: true });
  const commands: Readonly<Record<string, readonly string[]>> = {
    load: ['load', '-q', '-i', archive],
    'run --rm': ['run', '--rm', '--network', 'none', tinyTag, 'true'],
    'run -d': ['run', '-d', '--name', 'job', '--network', 'none', tinyTag, 'sleep', '1000'],
    'ps -a': ['ps', '-a'],
    'rm -f': ['rm', '-f', 'job'],
    images: ['images'],
  };
  const contestant: Contestant = {
    name: 'tsengine',
    sample: async () => {
      const left: Record<string, number> = {};
      for (const [name, args] of Object.entries(commands)) {
        peer.ok(...args);
        for (let waited = 0; processesOf(peer.dataRoot).length > 0 && waited < grace; waited += 10)
          await sleep(10);
        left[name] = processesOf(peer.dataRoot).length;
      }
      return left;
    },
  };
  return await compare(bench, {
    name: 'resident',
    title: 'processes of tsengine a second after a command, conmon of running containers aside',
    unit: 'count',
    contestants: [contestant],
    claims: Object.keys(commands).map((series) => ({ series, limit: 0 })),
    warmups: 0,
  });
}
