/**
 * What leaves an engine again: `diff` and `commit` of a container with 1 700 changes, and `save` of the image that the
 * commit made, Debian and all.
 */
import { rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Bench, compare, type Workload } from '../bench.ts';
import { type ImageFixture, largeImage, warm } from '../fixtures.ts';
import { type Contestant, type Figures, settle, sumOf, timed } from '../measure.ts';
import { openPeer, type Peer } from '../peers/peer.ts';
import type { Comparison } from '../schema.ts';

const limit = 0.7;
const container = 'changed';
const committed = 'bench:committed';
const synced = 'tsengine, sync-layers on';
const dockerSynced = 'docker commit, then sync';

/** 1 000 new files in ten directories, 400 files with a line more, 300 files less. */
const changing = `set -e
mkdir /srv/new
for d in 0 1 2 3 4 5 6 7 8 9; do
  mkdir /srv/new/$d
  for n in $(seq 100); do echo "file $n of directory $d, not long" >/srv/new/$d/$n; done
done
find /usr/lib /usr/share -type f -name '*.p[lmy]' | LC_ALL=C sort >/tmp/all
sed -n 1,400p /tmp/all | while read -r f; do echo '# changed' >>"$f"; done
sed -n 401,700p /tmp/all | xargs rm
rm /tmp/all`;

/** `diff`, `commit` and `save`, on the same containers and images. */
export const changes: Workload = { name: 'changes', run: measureChanges };

async function measureChanges(bench: Bench): Promise<Comparison[]> {
  bench.progress('changes: two engines load the image, a container changes it');
  const image = largeImage('plain');
  warm([image.archive]);
  await using docker = await openPeer(bench, { engine: 'docker' });
  await using tsengine = await openPeer(bench, { engine: 'tsengine' });
  await using tsengineSynced = await openPeer(bench, { engine: 'tsengine', syncLayers: true, name: synced });
  const [expected = '', ...others] = [docker, tsengine, tsengineSynced].map((peer) => change(peer, image));
  if (others.some((other) => other !== expected)) throw new Error('the engines see different changes');
  const count = expected.split('\n').length;
  const against = { series: 'tsengine', baseline: 'docker', limit };
  const of = { unit: 'ms', notes: [`${count} lines of diff`] } as const;
  const both = [docker, tsengine];
  const diffed = await compare(bench, {
    ...of,
    name: 'diff',
    title: 'diff of 1 700 changes',
    contestants: both.map((peer) => contestant(peer, () => ({ [peer.name]: peer.time('diff', container) }))),
    claims: [against],
    times: 3,
  });
  const commits = await compare(bench, {
    ...of,
    name: 'commit',
    title: 'commit of 1 700 changes',
    contestants: [...both, tsengineSynced].map((peer) => contestant(peer, () => commit(peer))),
    claims: [against, { series: synced, baseline: dockerSynced }],
    times: 3,
  });
  for (const peer of both) peer.ok('commit', container, committed);
  const saved = await compare(bench, {
    name: 'save',
    title: 'save -o of the committed image, onto the same disk',
    unit: 'ms',
    contestants: both.map((peer) => contestant(peer, () => save(peer))),
    claims: [against],
  });
  return [diffed, commits, saved];
}

/** Loads the image, changes it in a container, and gives what `diff` says of it, in order. */
function change(peer: Peer, image: ImageFixture): string {
  peer.ok('load', '-i', image.archive);
  peer.ok('run', '--name', container, '--network', 'none', image.tag, 'sh', '-c', changing);
  return peer.ok('diff', container).trim().split('\n').sort().join('\n');
}

function contestant(peer: Peer, measure: () => Figures): Contestant {
  return {
    name: peer.name,
    sample: async () => {
      await peer.quiet();
      await settle();
      return measure();
    },
  };
}

/** Commits, and removes the image again. */
function commit(peer: Peer): Figures {
  const time = peer.time('commit', container, committed);
  const isDocker = peer.engine === 'docker';
  const withSync = isDocker ? sumOf(time, timed({ argv: ['sync', '-f', peer.dataRoot] })) : undefined;
  peer.ok('rmi', committed);
  return { [peer.name]: time, ...(withSync === undefined ? {} : { [dockerSynced]: withSync }) };
}

/** Saves into a new file beside the data root, and removes that again. */
function save(peer: Peer): Figures {
  const file = `${dirname(peer.dataRoot)}/saved.tar`;
  const time = peer.time('save', '-o', file, committed);
  const { size } = statSync(file);
  rmSync(file);
  if (size < 300e6) throw new Error(`${peer.name} saved ${size} bytes only`);
  return { [peer.name]: time };
}
