/**
 * `diff` of a container with 1 000 changes over an image of 100 000 files: against Docker's, and against a walk over both
 * trees as every driver could do it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dockerArchive, makeImage } from '../../test/helpers/images.ts';
import { type Bench, compare, type Workload } from '../bench.ts';
import { tinyLayer } from '../fixtures.ts';
import { compareInProcess } from '../in-process.ts';
import { type Contestant, type Figures, settle } from '../measure.ts';
import { openPeer, type Peer } from '../peers/peer.ts';
import { makePlace, storeOf } from '../peers/store.ts';
import type { Comparison } from '../schema.ts';
import { layerOfFiles, smallFiles } from '../stream-image.ts';

const tag = 'bench:hundred-thousand';
const container = 'changed';
const alone = 'the driver alone';
const walk = 'a walk over both trees';
/** At most this part of Docker's time, and of the walk's. */
const limits: Readonly<Record<string, number>> = { overlay2: 0.5, btrfs: 0.1, zfs: 0.1 };

/** 400 new files, 400 with a line more, 200 less. */
const changing = `set -e
mkdir /new
for n in $(seq 400); do echo new >/new/$n; done
for n in $(seq 0 399); do echo more >>/small/$n/\${n}00; done
for n in $(seq 400 599); do rm /small/$n/\${n}00; done`;

/** On overlay2 and btrfs. */
export const largeDiff: Workload = {
  name: 'large-diff',
  run: async (bench) => {
    const comparisons: Comparison[] = [];
    for (const driver of ['overlay2', 'btrfs']) comparisons.push(await onDriver(bench, driver));
    return comparisons;
  },
};

/** On zfs. */
export const largeDiffOnZfs: Workload = {
  name: 'large-diff-zfs',
  driver: 'zfs',
  run: async (bench) => [await onDriver(bench, 'zfs')],
};

async function onDriver(bench: Bench, driver: string): Promise<Comparison> {
  await using shelf = await makePlace(bench);
  const archive = `${shelf.store.path}/image.tar`;
  await using docker = await openPeer(bench, { engine: 'docker', driver });
  await using tsengine = await openPeer(bench, { engine: 'tsengine', driver });
  const peers = [docker, tsengine];
  writeFileSync(archive, hundredThousand());
  const [expected, other] = peers.map((peer) => change(peer, archive));
  if (expected !== other) throw new Error('the engines see different changes');
  const limit = limits[driver];
  const id = tsengine.ok('ps', '-aq', '--no-trunc').trim();
  const claim = (series: string, baseline: string) => ({
    series,
    baseline,
    ...(limit === undefined ? {} : { limit }),
  });
  return await compare(bench, {
    name: `large-diff-${driver}`,
    title: `diff of 1 000 changes over 100 000 files, ${driver}`,
    unit: 'ms',
    contestants: [
      ...peers.map((peer): Contestant => ({ name: peer.name, sample: () => sample(peer) })),
      {
        name: alone,
        sample: async () => {
          const found = await compareInProcess(driver, tsengine.dataRoot, id);
          return { [alone]: found.changes, [walk]: found.walk };
        },
      },
    ],
    claims: [claim('tsengine', 'docker'), claim(alone, walk)],
    notes: [
      `${driver} on ${storeOf(driver)}; ${expected?.split('\n').length} lines; ${alone} and ${walk}: without a process`,
    ],
  });
}

async function sample(peer: Peer): Promise<Figures> {
  await peer.quiet();
  await settle();
  return { [peer.name]: peer.time('diff', container) };
}

/** The image on top of a busybox, so that a container can change it. */
function hundredThousand(): Buffer {
  const files = layerOfFiles(smallFiles(100_000, 100, 32));
  const layer = Buffer.concat([...files].map((chunk) => Buffer.from(chunk)));
  return dockerArchive([{ image: makeImage([readFileSync(tinyLayer()), layer]), tags: [tag] }]);
}

function change(peer: Peer, archive: string): string {
  peer.ok('load', '-i', archive);
  peer.ok('run', '--name', container, '--network', 'none', tag, 'sh', '-c', changing);
  return peer.ok('diff', container).trim().split('\n').sort().join('\n');
}
