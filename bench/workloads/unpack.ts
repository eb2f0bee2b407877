/**
 * `load` of ten thousand small files and of one large one, on each driver that unpacks here, on the driver's own file system,
 * against tar, which makes the same files there.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { type Bench, compare, type Workload } from '../bench.ts';
import { plainImage, warm } from '../fixtures.ts';
import { type Contestant, settle, timed } from '../measure.ts';
import { openPeer, type Peer } from '../peers/peer.ts';
import { makePlace, storeOf } from '../peers/store.ts';
import type { Comparison } from '../schema.ts';

const limit = 0.6;
const floor = 'tar -x';
const titles = { 'small-files': '10 000 files of 4 KiB', 'large-file': 'one file of 1 GiB' } as const;

/** Both images on overlay2, btrfs and vfs. */
export const unpack: Workload = {
  name: 'unpack',
  run: async (bench) => {
    const comparisons: Comparison[] = [];
    for (const driver of ['overlay2', 'btrfs', 'vfs']) comparisons.push(...(await onDriver(bench, driver)));
    return comparisons;
  },
};

async function onDriver(bench: Bench, driver: string): Promise<Comparison[]> {
  const store = storeOf(driver);
  await using docker = await openPeer(bench, { engine: 'docker', driver });
  await using tsengine = await openPeer(bench, { engine: 'tsengine', driver });
  await using place = await makePlace(bench, store);
  const measure = async (what: keyof typeof titles): Promise<Comparison> => {
    const image = plainImage(what);
    warm([image.archive]);
    return await compare(bench, {
      name: `unpack-${what}-${driver}`,
      title: `load, ${titles[what]}, ${driver}`,
      unit: 'ms',
      contestants: [
        ...[docker, tsengine].map((peer) => loader(peer, image.archive, image.tag)),
        unpacker(image.layers[0] ?? '', `${place.store.path}/unpacked`),
      ],
      claims: [
        { series: 'tsengine', baseline: 'docker', limit },
        { series: 'tsengine', baseline: floor },
      ],
      notes: [`${driver} on ${store}; the image is removed after each load`],
    });
  };
  return [await measure('small-files'), await measure('large-file')];
}

/** Loads into a data root that has had the image before, and removes it again. */
function loader(peer: Peer, archive: string, tag: string): Contestant {
  return {
    name: peer.name,
    sample: async () => {
      await peer.quiet();
      await settle();
      const time = peer.time('load', '-i', archive);
      peer.ok('rmi', tag);
      return { [peer.name]: time };
    },
  };
}

/** The floor: registers nothing. */
function unpacker(layer: string, target: string): Contestant {
  return {
    name: floor,
    sample: async () => {
      mkdirSync(target);
      await settle();
      const time = timed({ argv: ['tar', '-xf', layer, '-C', target] });
      rmSync(target, { recursive: true });
      return { [floor]: time };
    },
  };
}
