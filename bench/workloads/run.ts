/** Containers that do nothing: what an engine itself takes to start one and to remove it. */
import { type Bench, compare, type Workload } from '../bench.ts';
import type { Comparison } from '../comparison.ts';
import { tinyArchive, tinyTag } from '../fixtures.ts';
import { whereDriverIs } from '../in-lab.ts';
import { type Contestant, settle } from '../measure.ts';
import { homeOf } from '../peers/disk.ts';
import { openDocker } from '../peers/docker.ts';
import { openPeer, type Peer } from '../peers/peer.ts';
import { openTsengine } from '../peers/tsengine.ts';

const removedTitle = 'run --rm --network none IMAGE true';

function runRemovedOn(peer: Peer): Record<string, number> {
  return { [peer.name]: peer.time('run', '--rm', '--network', 'none', tinyTag, 'true') };
}

/** `run --rm`, from the start of the command to its end. */
export const runRemoved: Workload = {
  name: 'run',
  run: (bench) => contest(bench, 'run', removedTitle, runRemovedOn),
};

/** The same on btrfs. */
export const runOnBtrfs: Workload = {
  name: 'run-btrfs',
  run: (bench) => contest(bench, 'run-btrfs', `${removedTitle}, btrfs`, runRemovedOn, 'btrfs', 0.7),
};

/** The same on drivers that this kernel may lack. */
export const runOnOthers: readonly Workload[] = (['devicemapper', 'zfs'] as const).map((driver) =>
  whereDriverIs(driver, {
    name: `run-${driver}`,
    run: (bench) => contest(bench, `run-${driver}`, `${removedTitle}, ${driver}`, runRemovedOn, driver, 0.7),
  }),
);

/** `run -d` and `rm -f` of what it started: the sum of both, and each alone. */
export const runDetached: Workload = {
  name: 'detached',
  run: (bench) =>
    contest(bench, 'detached', 'run -d --network none IMAGE sleep 1000, then rm -f', (peer) => {
      const run = peer.time('run', '-d', '--name', 'job', '--network', 'none', tinyTag, 'sleep', '1000');
      const remove = peer.time('rm', '-f', 'job');
      return { [peer.name]: run + remove, [`${peer.name}: run -d`]: run, [`${peer.name}: rm -f`]: remove };
    }),
};

async function contest(
  bench: Bench,
  name: string,
  title: string,
  measure: (peer: Peer) => Record<string, number>,
  storageDriver = 'overlay2',
  limit = 0.6,
): Promise<Comparison[]> {
  const archive = await tinyArchive();
  const home = homeOf(storageDriver);
  await using docker = await openPeer((disk) => openDocker(disk, storageDriver), home);
  await using tsengine = await openPeer(
    (disk) => openTsengine(disk, { syncLayers: false, storageDriver }),
    home,
  );
  const contestants = [docker, tsengine].map((peer): Contestant => {
    peer.ok('load', '-i', archive);
    return {
      name: peer.name,
      sample: async () => {
        await peer.quiet();
        await settle();
        return measure(peer);
      },
    };
  });
  const claims = [{ series: 'tsengine', baseline: 'docker', limit }];
  return [
    await compare(bench, {
      name,
      title,
      unit: 'ms',
      contestants,
      claims,
      times: 3,
      warmups: 3,
      notes: [`${storageDriver}, a static busybox of 2 MB, warm`],
    }),
  ];
}
