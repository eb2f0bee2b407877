/**
 * `load`: an image of a real Debian from an archive in memory onto an empty file system. Each measurement has a file
 * system of its own, made for it, so that no run meets the traces of another.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { type Bench, compare, type Workload } from '../bench.ts';
import type { Claim, Comparison } from '../comparison.ts';
import { type Form, type ImageFixture, largeImage, tinyArchive, warm } from '../fixtures.ts';
import { type Contestant, type Figures, settle, timed } from '../measure.ts';
import { freshDisk } from '../peers/disk.ts';
import { openDocker } from '../peers/docker.ts';
import { openPeer, type Peer, type PeerParts } from '../peers/peer.ts';
import { openTsengine } from '../peers/tsengine.ts';

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
  const contestants: Contestant[] = [
    ...(withDocker ? [loader('docker', openDocker, image, dockerSynced)] : []),
    loader('tsengine', tsengine(false), image),
    loader(synced, tsengine(true), image),
    ...(withDocker ? [] : [loader(plainLayer, tsengine(false), plain)]),
    { name: 'tar -x', sample: () => extract(image) },
  ];
  const claims: Claim[] = [
    ...(withDocker ? [{ series: 'tsengine', baseline: 'docker', limit: dockerLimit }] : []),
    { series: 'tsengine', baseline: 'tar -x', limit: tarLimit },
    withDocker ? { series: synced, baseline: dockerSynced } : { series: 'tsengine', baseline: plainLayer },
  ];
  return await compare(bench, { name, title, unit: 'ms', contestants, claims, notes: notes(image, form) });
}

function tsengine(syncLayers: boolean): (disk: string) => Promise<PeerParts> {
  return (disk) => openTsengine(disk, { syncLayers });
}

/** An engine on a fresh file system that has loaded a small image before, so that its programs are in memory. */
function loader(
  name: string,
  open: (disk: string) => Promise<PeerParts>,
  image: ImageFixture,
  withSync?: string,
): Contestant {
  return {
    name,
    sample: async () => {
      await using peer = await openPeer(open);
      peer.ok('load', '-i', tinyArchive());
      await peer.quiet();
      await settle();
      const load = peer.time('load', '-i', image.archive);
      const sync = withSync === undefined ? 0 : timed({ argv: ['sync', '-f', peer.dataRoot] });
      assertLoaded(peer, image);
      const figures: Figures = { [name]: load };
      return withSync === undefined ? figures : { ...figures, [withSync]: load + sync };
    },
  };
}

function assertLoaded(peer: Peer, { tag }: ImageFixture): void {
  const names = peer.ok('images', '--format', '{{.Repository}}:{{.Tag}}').split('\n');
  if (!names.includes(tag)) throw new Error(`${peer.name} loaded no ${tag}`);
}

/** The floor: tar makes the same files, each layer in a directory of its own, and registers nothing. */
async function extract(image: ImageFixture): Promise<Figures> {
  using disk = freshDisk();
  const layers = image.layers.map((layer, index) => ({ layer, target: `${disk.path}/${index}` }));
  for (const { target } of layers) mkdirSync(target);
  await settle();
  const times = layers.map(({ layer, target }) => timed({ argv: ['tar', '-xf', layer, '-C', target] }));
  return { 'tar -x': times.reduce((sum, time) => sum + time, 0) };
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
