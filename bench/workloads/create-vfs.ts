/**
 * `create` on vfs, which copies the whole image: twice, once for the layer of the engine's own files and once for the container's.
 * On btrfs a copy can share its blocks. Against the same two copies by cp.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { type Bench, compare, type Workload } from '../bench.ts';
import { plainImage, warm } from '../fixtures.ts';
import { type Contestant, settle, sumOf, timed } from '../measure.ts';
import { openPeer, type Peer } from '../peers/peer.ts';
import { makePlace } from '../peers/store.ts';
import type { Comparison } from '../schema.ts';

const floor = 'cp -a --reflink=auto';
const container = 'copied';

/** On ext4 and on btrfs. */
export const createOnVfs: Workload = {
  name: 'create-vfs',
  run: async (bench) => [await onStore(bench, 'ext4'), await onStore(bench, 'btrfs')],
};

async function onStore(bench: Bench, store: 'ext4' | 'btrfs'): Promise<Comparison> {
  const image = plainImage('small-files');
  warm([image.archive]);
  const of = { driver: 'vfs', store } as const;
  await using docker = await openPeer(bench, { engine: 'docker', ...of });
  await using tsengine = await openPeer(bench, { engine: 'tsengine', ...of });
  await using place = await makePlace(bench, store);
  const root = place.store.path;
  execFileSync('sh', ['-c', 'mkdir "$1/0" && tar -xf "$0" -C "$1/0"', image.layers[0] ?? '', root]);
  for (const peer of [docker, tsengine]) peer.ok('load', '-q', '-i', image.archive);
  return await compare(bench, {
    name: `create-vfs-${store}`,
    title: `create over 10 000 files of 4 KiB, vfs on ${store}`,
    unit: 'ms',
    contestants: [creator(docker, image.tag), creator(tsengine, image.tag), copier(root)],
    claims: [
      { series: 'tsengine', baseline: 'docker' },
      { series: 'tsengine', baseline: floor },
    ],
    notes: ['two copies of the image each'],
  });
}

function creator(peer: Peer, image: string): Contestant {
  return {
    name: peer.name,
    sample: async () => {
      await peer.quiet();
      await settle();
      const time = peer.time('create', '--name', container, '--network', 'none', image, 'true');
      peer.ok('rm', container);
      return { [peer.name]: time };
    },
  };
}

function copier(root: string): Contestant {
  const copy = (from: string, to: string) =>
    timed({ argv: ['cp', '-a', '--reflink=auto', `${root}/${from}`, `${root}/${to}`] });
  return {
    name: floor,
    sample: async () => {
      await settle();
      const time = sumOf(copy('0', '1'), copy('1', '2'));
      for (const name of ['1', '2']) rmSync(`${root}/${name}`, { recursive: true });
      return { [floor]: time };
    },
  };
}
