/**
 * `load`: an image of a real Debian from an archive in memory onto an empty file system. Each measurement has a file
 * system of its own, made for it, so that no run meets the traces of another.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { type Bench, compare, type Workload } from '../bench.ts';
import { type Form, type ImageFixture, largeImage, tinyArchive, warm } from '../fixtures.ts';
import { type Contestant, type Figures, settle, sumOf, timed } from '../measure.ts';
import { openPeer, openPeerIfAny, type Peer, type PeerOptions } from '../peers/peer.ts';
import { makePlace } from '../peers/store.ts';
import type { Claim, Comparison } from '../schema.ts';

/** At most this part of Docker's time. */
const dockerLimit = 0.5;
/** At most this many times what tar needs. */
const tarLimit = 1.6;

const synced = 'tsengine, sync-layers on';
const dockerSynced = 'docker load, then sync';
const plainLayer = 'tsengine, the layer plain';

/** One uncompressed layer. */
export const loadPlain = loadOf('load', 'plain', 'load, one plain layer');
/** One layer compressed with gzip. */
export const loadGzip = loadOf('load-gzip', 'gzip', 'load, one gzip layer');
/** One layer compressed with zstd, which Docker 20.10 cannot read. */
export const loadZstd = loadOf('load-zstd', 'zstd', 'load, one zstd layer');
/** The same tree in ten layers. */
export const loadLayers = loadOf('load-layers', 'layers', 'load, ten plain layers');

function loadOf(name: string, form: Form, title: string): Workload {
  return { name, run: async (bench) => [await measureLoad(bench, name, form, title)] };
}

async function measureLoad(bench: Bench, name: string, form: Form, title: string): Promise<Comparison> {
  bench.progress(`${title}: making the image, if it is not in the cache`);
  const image = largeImage(form);
  const plain = largeImage('plain');
  warm([image.archive, ...image.layers, ...(form === 'zstd' ? [plain.archive] : [])]);
  const withDocker = form !== 'zstd';
  const withPodman = await hasPodman(bench);
  const of = (options: PeerOptions, what = image, withSync?: string): Contestant =>
    loader(bench, options, what, withSync);
  const contestants: Contestant[] = [
    ...(withDocker ? [of({ engine: 'docker' }, image, dockerSynced)] : []),
    ...(withPodman ? [of({ engine: 'podman' })] : []),
    of({ engine: 'tsengine' }),
    of({ engine: 'tsengine', name: synced, syncLayers: true }),
    ...(withDocker ? [] : [of({ engine: 'tsengine', name: plainLayer }, plain)]),
    { name: 'tar -x', sample: () => extract(bench, image) },
  ];
  const claims: Claim[] = [
    ...(withDocker ? [{ series: 'tsengine', baseline: 'docker', limit: dockerLimit }] : []),
    { series: 'tsengine', baseline: 'tar -x', limit: tarLimit },
    withDocker ? { series: synced, baseline: dockerSynced } : { series: 'tsengine', baseline: plainLayer },
    ...(withPodman ? [{ series: 'tsengine', baseline: 'podman' }] : []),
  ];
  return await compare(bench, { name, title, unit: 'ms', contestants, claims, notes: notes(image, form) });
}

/** Whether podman loads images here; where it does not it is on record why. */
async function hasPodman(bench: Bench): Promise<boolean> {
  await using podman = await openPeerIfAny(bench, { engine: 'podman' }, (peer) => {
    peer.ok('load', '-q', '-i', tinyArchive());
  });
  return podman !== undefined;
}

/** An engine on a fresh store that has loaded a small image before, so that its programs are in memory. */
function loader(bench: Bench, options: PeerOptions, image: ImageFixture, withSync?: string): Contestant {
  const { name = options.engine } = options;
  return {
    name,
    sample: async () => {
      await using peer = await openPeer(bench, options);
      peer.ok('load', '-i', tinyArchive());
      await peer.quiet();
      await settle();
      const load = peer.time('load', '-i', image.archive);
      const figures: Figures =
        withSync === undefined
          ? { [name]: load }
          : { [name]: load, [withSync]: sumOf(load, timed({ argv: ['sync', '-f', peer.dataRoot] })) };
      assertLoaded(peer, image);
      return figures;
    },
  };
}

/** podman puts the name of a registry before it. */
function assertLoaded(peer: Peer, { tag }: ImageFixture): void {
  const names = peer.ok('images', '--format', '{{.Repository}}:{{.Tag}}').split('\n');
  if (!names.includes(tag) && !names.includes(`localhost/${tag}`))
    throw new Error(`${peer.name} loaded no ${tag}`);
}

/** The floor: tar makes the same files, each layer in a directory of its own, and registers nothing. */
async function extract(bench: Bench, image: ImageFixture): Promise<Figures> {
  await using place = await makePlace(bench);
  const layers = image.layers.map((layer, index) => ({ layer, target: `${place.store.path}/${index}` }));
  for (const { target } of layers) mkdirSync(target);
  await settle();
  const times = layers.map(({ layer, target }) => timed({ argv: ['tar', '-xf', layer, '-C', target] }));
  return { 'tar -x': sumOf(...times) };
}

function notes(image: ImageFixture, form: Form): string[] {
  const entries = image.layers.map((layer) => execFileSync('tar', ['-tf', layer], { maxBuffer: 1 << 28 }));
  const count = entries.reduce((sum, list) => sum + list.toString('latin1').split('\n').length - 1, 0);
  const size = image.layers.reduce((sum, layer) => sum + statSync(layer).size, 0);
  const what = `${image.layers.length} layer(s), ${(size / 1e6).toFixed(0)} MB in the archive, ${count} entries`;
  return [
    what,
    ...(form === 'zstd' ? ['Docker 20.10 cannot read zstd layers: measured against tar --zstd -x'] : []),
  ];
}
