/** The memory that an engine needs while it loads a large layer. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Bench, compare, type Workload } from '../bench.ts';
import type { Contestant } from '../measure.ts';
import { peakMemory, watchGrowth } from '../peak-memory.ts';
import { openPeer, type Peer } from '../peers/peer.ts';
import { WORK } from '../peers/store.ts';
import type { Comparison } from '../schema.ts';
import { streamedTag } from '../stream-image.ts';

const limit = 200 * 1024 ** 2;
/**
 * A layer of four times the size may need no more memory, as far as that can be told: a series of one size spreads by 8 %,
 * and the peak of four times as many collections is the higher end of that (medians of 113 and 118 MiB were seen).
 */
const growthLimit = 1.1;
const gibibyte = 1024 ** 3;

const generator = resolve(import.meta.dirname, '../stream-image.ts');

/** Peak memory of `load`, the archive coming through a pipe. */
export const memory: Workload = { name: 'memory', run: async (bench) => [await measureMemory(bench)] };

async function measureMemory(bench: Bench): Promise<Comparison> {
  const unit = bench.quick ? gibibyte / 4 : gibibyte;
  assertSpace(bench.images, 12 * unit);
  const small = `tsengine, ${unit / gibibyte} GiB`;
  const large = `tsengine, ${(4 * unit) / gibibyte} GiB`;
  const docker = `growth of dockerd, ${unit / gibibyte} GiB`;
  const contestants = [
    tsengineLoads(bench, small, unit),
    tsengineLoads(bench, large, 4 * unit),
    dockerLoads(bench, docker, unit),
  ];
  return await compare(bench, {
    name: 'memory',
    title: 'peak memory of load, one layer through a pipe',
    unit: 'bytes',
    contestants,
    claims: [
      { series: small, limit },
      { series: large, limit },
      { series: large, baseline: small, limit: growthLimit },
    ],
    warmups: 0,
    notes: [
      'a quarter of the bytes in files of 16 KiB, the rest in one file',
      'limits in MiB hold for the worst run',
    ],
  });
}

function tsengineLoads(bench: Bench, name: string, bytes: number): Contestant {
  return {
    name,
    sample: async () => {
      await using peer = await openPeer(bench, { engine: 'tsengine', syncLayers: true });
      const peak = await streamed(bytes, (input) => peakMemory(peer.argv('load', '-q'), input));
      assertLoaded(peer);
      return { [name]: peak };
    },
  };
}

function dockerLoads(bench: Bench, name: string, bytes: number): Contestant {
  return {
    name,
    sample: async () => {
      await using peer = await openPeer(bench, { engine: 'docker' });
      const growth = watchGrowth(Number(readFileSync(`${peer.work}/pid`, 'utf8')));
      await streamed(bytes, (input) => peakMemory(peer.argv('load', '-q'), input));
      assertLoaded(peer);
      return { [name]: growth() };
    },
  };
}

function assertLoaded(peer: Peer): void {
  const names = peer.ok('images', '--format', '{{.Repository}}:{{.Tag}}').split('\n');
  if (!names.includes(streamedTag)) throw new Error(`${peer.name} loaded no ${streamedTag}`);
}

/** Gives `use` the reading end of a real pipe, into which a process of its own writes the archive. */
async function streamed<T>(bytes: number, use: (input: number) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(`${WORK}/pipe-`);
  try {
    execFileSync('mkfifo', [`${folder}/pipe`]);
    // Both ends at once, as each alone would wait for the other.
    const [both, input, output] = (['r+', 'r', 'w'] as const).map((flags) =>
      openSync(`${folder}/pipe`, flags),
    );
    const writer = spawn(process.execPath, [generator, String(bytes)], {
      stdio: ['ignore', output ?? -1, 'inherit'],
    });
    const ended = once(writer, 'exit');
    for (const end of [both, output]) closeSync(end ?? -1);
    try {
      return await use(input ?? -1);
    } finally {
      closeSync(input ?? -1);
      await ended;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function assertSpace(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < bytes)
    throw new Error(
      `${folder} has ${Math.floor((bavail * bsize) / gibibyte)} GiB free; ${bytes / gibibyte} GiB are needed`,
    );
}
