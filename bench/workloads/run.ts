/** Containers that do nothing: what an engine itself takes to start one and to remove it, and what runc takes alone. */
import { type Bench, compare, type Workload } from '../bench.ts';
import { tinyArchive, tinyTag } from '../fixtures.ts';
import { type Contestant, type Figures, settle, sumOf } from '../measure.ts';
import { openPeer, openPeerIfAny, type Peer } from '../peers/peer.ts';
import { openRuncAlone } from '../peers/runc.ts';
import type { Claim, Comparison } from '../schema.ts';

const removedTitle = 'run --rm --network none IMAGE true';
const floor = 'runc alone';

function runRemovedOn(peer: Peer): Figures {
  return { [peer.name]: peer.time('run', '--rm', '--network', 'none', tinyTag, 'true') };
}

/** `run --rm`, from the start of the command to its end, with podman and runc alone beside. */
export const runRemoved: Workload = {
  name: 'run',
  run: (bench) =>
    contest(bench, {
      ...{ name: 'run', title: removedTitle, measure: runRemovedOn },
      ...{ withPodman: true, withFloor: true },
    }),
};

/** The same on btrfs. */
export const runOnBtrfs: Workload = {
  name: 'run-btrfs',
  run: (bench) => contest(bench, onDriver('btrfs')),
};

/** The same on drivers that this kernel may lack. */
export const runOnOthers: readonly Workload[] = (['devicemapper', 'zfs'] as const).map((driver) => ({
  name: `run-${driver}`,
  driver,
  run: (bench) => contest(bench, onDriver(driver)),
}));

/** `run -d` and `rm -f` of what it started: the sum of both, and each alone. */
export const runDetached: Workload = {
  name: 'detached',
  run: (bench) =>
    contest(bench, {
      ...{ name: 'detached', title: 'run -d --network none IMAGE sleep 1000, then rm -f' },
      withPodman: true,
      measure: (peer) => {
        const run = peer.time('run', '-d', '--name', 'job', '--network', 'none', tinyTag, 'sleep', '1000');
        // podman asks first and kills after a time, which the others leave out.
        const now = peer.engine === 'podman' ? ['-t', '0'] : [];
        const remove = peer.time('rm', '-f', ...now, 'job');
        return {
          [peer.name]: sumOf(run, remove),
          [`${peer.name}: run -d`]: run,
          [`${peer.name}: rm -f`]: remove,
        };
      },
    }),
};

interface Contest {
  readonly name: string;
  readonly title: string;
  measure(peer: Peer): Figures;
  /** overlay2 when not given. */
  readonly driver?: string;
  /** At most this part of Docker's time; 0.6 when not given. */
  readonly limit?: number;
  readonly withPodman?: boolean;
  readonly withFloor?: boolean;
}

function onDriver(driver: string): Contest {
  const title = `${removedTitle}, ${driver}`;
  return { name: `run-${driver}`, title, measure: runRemovedOn, driver, limit: 0.7 };
}

async function contest(bench: Bench, one: Contest): Promise<Comparison[]> {
  const {
    name,
    title,
    measure,
    driver = 'overlay2',
    limit = 0.6,
    withPodman = false,
    withFloor = false,
  } = one;
  const archive = tinyArchive();
  const load = (peer: Peer): void => void peer.ok('load', '-i', archive);
  await using docker = await openPeer(bench, { engine: 'docker', driver });
  await using tsengine = await openPeer(bench, { engine: 'tsengine', driver });
  for (const peer of [docker, tsengine]) load(peer);
  await using podman = withPodman
    ? await openPeerIfAny(bench, { engine: 'podman', driver }, load)
    : undefined;
  await using alone = withFloor ? await openRuncAlone(bench, floor) : undefined;
  const peers = [docker, tsengine, ...(podman === undefined ? [] : [podman])];
  const contestants = peers.map(
    (peer): Contestant => ({
      name: peer.name,
      sample: async () => {
        await peer.quiet();
        await settle();
        return measure(peer);
      },
    }),
  );
  const claims: Claim[] = [{ series: 'tsengine', baseline: 'docker', limit }];
  const notes = [`${driver}, a static busybox of 2 MB, warm`];
  if (podman !== undefined) claims.push({ series: 'tsengine', baseline: 'podman' });
  if (alone !== undefined) {
    contestants.push(alone);
    claims.push({ series: 'tsengine', baseline: floor });
    notes.push(`${floor}: runc run of tsengine's bundle in a layer that is mounted already`);
  }
  const of = { name, title, unit: 'ms' } as const;
  return [await compare(bench, { ...of, contestants, claims, notes, times: 3, warmups: 3 })];
}
