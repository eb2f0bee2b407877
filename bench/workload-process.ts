/**
 * One workload, in a process that has a mount namespace and a pid namespace to itself: `workload-process.ts REQUEST`. What it
 * mounts and starts is gone with it. The request is JSON; what happens is written as lines.
 */
import { mkdirSync, writeSync } from 'node:fs';
import * as z from 'zod/mini';
import { errorMessage } from '../src/errors.ts';
import { runTool } from '../src/lab/matrix/tool.ts';
import { once } from '../src/once.ts';
import type { Bench } from './bench.ts';
import { eventLine, type WorkloadEvent } from './events.ts';
import { WORK } from './peers/store.ts';
import { randomFrom } from './suite/random.ts';
import { choose } from './workloads/index.ts';

const requestSchema = once(() =>
  z.object({
    workload: z.string(),
    runs: z.int(),
    quick: z.boolean(),
    seed: z.int(),
    launcher: z.string(),
    images: z.string(),
    owner: z.int(),
    /** Milliseconds of the whole run before this. */
    at: z.number(),
  }),
);

/** What the process is told. See the fields of the same names in `Bench`. */
export type WorkloadRequest = z.infer<ReturnType<typeof requestSchema>>;

async function runWorkload(request: WorkloadRequest, write: (event: WorkloadEvent) => void): Promise<void> {
  mkdirSync(WORK, { recursive: true });
  runTool('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', WORK], 'mount');
  // podman takes its locks there, by number, and gives none back of a root that is gone.
  runTool('mount', ['-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', '/dev/shm'], 'mount');
  const { runs, quick, seed, launcher, images, owner, at } = request;
  const bench: Bench = {
    ...{ runs, quick, launcher, images, owner },
    random: randomFrom(seed),
    clock: () => at + performance.now(),
    progress: (text) => write({ event: 'progress', text }),
    version: (name, version) => write({ event: 'version', name, version }),
    found: (comparison) => write({ event: 'comparison', comparison }),
    missing: (series, reason) => write({ event: 'missing', series, reason }),
  };
  // The harness is among those that are chosen always.
  await choose([request.workload])
    .find(({ name }) => name === request.workload)
    ?.run(bench);
}

if (import.meta.main) {
  const write = (event: WorkloadEvent): void => {
    const line = Buffer.from(eventLine(event));
    for (let at = 0; at < line.length; ) at += writeSync(1, line, at);
  };
  try {
    await runWorkload(requestSchema().parse(JSON.parse(process.argv[2] ?? '')), write);
    write({ event: 'done' });
  } catch (error) {
    write({ event: 'failed', reason: errorMessage(error) });
  }
  // Whatever a daemon still holds goes with the namespaces.
  process.exit();
}
