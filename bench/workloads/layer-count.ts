/** What ten, a thousand and ten thousand layers in a store cost those who want one of them: it should be nothing. */
import { writeFileSync } from 'node:fs';
import { dockerArchive, makeImage, tarOf } from '../../test/helpers/images.ts';
import { type Bench, compare, type Workload } from '../bench.ts';
import { tinyArchive, tinyTag } from '../fixtures.ts';
import { getInProcess } from '../in-process.ts';
import { type Contestant, type Reading, settle } from '../measure.ts';
import { openPeer, type Peer } from '../peers/peer.ts';
import type { Comparison } from '../schema.ts';

/** Layers of each image that fills the store. */
const DEPTH = 100;
/** The dearest store against the cheapest: nothing that grows stays below it. */
const limit = 1.25;

/** `get` and a whole `run`, on overlay2 and btrfs. */
export const layerCount: Workload = {
  name: 'layer-count',
  run: async (bench) => {
    const comparisons: Comparison[] = [];
    for (const driver of ['overlay2', 'btrfs']) comparisons.push(...(await onDriver(bench, driver)));
    return comparisons;
  },
};

async function onDriver(bench: Bench, driver: string): Promise<Comparison[]> {
  const counts = bench.quick ? [10, 100, 1000] : [10, 1000, 10_000];
  await using stack = new AsyncDisposableStack();
  const stores: { readonly count: number; readonly peer: Peer }[] = [];
  for (const count of counts) {
    bench.progress(`layer-count: ${driver}, a store of ${count} layers`);
    const peer = stack.use(await openPeer(bench, { engine: 'tsengine', driver, name: titleOf(count) }));
    fill(peer, count);
    peer.ok('create', '--name', 'kept', '--network', 'none', tinyTag, 'true');
    stores.push({ count, peer });
  }
  const claims = counts
    .slice(1)
    .map((count) => ({ series: titleOf(count), baseline: titleOf(counts[0] ?? 0), limit }));
  const measure = (what: string, title: string, sample: (peer: Peer) => Promise<number | Reading>) =>
    compare(bench, {
      name: `${what}-of-many-${driver}`,
      title: `${title}, ${driver}`,
      unit: 'ms',
      contestants: stores.map(
        ({ peer }): Contestant => ({
          name: peer.name,
          sample: async () => {
            await peer.quiet();
            await settle();
            return { [peer.name]: await sample(peer) };
          },
        }),
      ),
      claims,
      times: 3,
      warmups: 3,
    });
  // Without a mount it takes a hundredth of a millisecond.
  const times = driver === 'btrfs' ? 20_000 : 100;
  const id = new Map(stores.map(({ peer }) => [peer, peer.ok('ps', '-aq', '--no-trunc').trim()]));
  return [
    await measure('get', `get and put of one layer, ${times} times`, (peer) =>
      getInProcess(driver, peer.dataRoot, id.get(peer) ?? '', times),
    ),
    await measure('run', 'run --rm --network none IMAGE true', async (peer) =>
      peer.time('run', '--rm', '--network', 'none', tinyTag, 'true'),
    ),
  ];
}

function titleOf(count: number): string {
  return `${count} layers`;
}

/** Images of a hundred layers each, every layer with one small file of its own. */
function fill(peer: Peer, count: number): void {
  peer.ok('load', '-i', tinyArchive());
  const file = `${peer.dataRoot}/../fill.tar`;
  for (let first = 0; first < count; first += DEPTH) {
    const layers = Array.from({ length: Math.min(DEPTH, count - first) }, (_, index) =>
      tarOf([{ name: `file-${first + index}`, content: `layer ${first + index}` }]),
    );
    writeFileSync(file, dockerArchive([{ image: makeImage(layers), tags: [`fill:${first}`] }]));
    peer.ok('load', '-q', '-i', file);
  }
}
