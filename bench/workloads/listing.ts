/**
 * Lists: `images` with 500 images and `ps -a` with 1 000 containers. Docker makes the data root, through its API; tsengine
 * has a copy of it. podman, where it is there, makes one of its own through the same API.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dockerArchive, makeImage, tarOf } from '../../test/helpers/images.ts';
import { type Bench, compare, type Workload } from '../bench.ts';
import { type Contestant, settle } from '../measure.ts';
import { openPeer, openPeerIfAny, type Peer } from '../peers/peer.ts';
import { startPodmanService } from '../peers/podman.ts';
import type { Comparison } from '../schema.ts';

const limit = 1;

/** Both lists, of one data root. */
export const listing: Workload = { name: 'listing', run: measureLists };

async function measureLists(bench: Bench): Promise<Comparison[]> {
  const images = bench.quick ? 50 : 500;
  const containers = bench.quick ? 100 : 1000;
  bench.progress(`listing: Docker makes ${images} images and ${containers} containers`);
  await using maker = await openPeer(bench, { engine: 'docker', name: 'what makes the data root' });
  await fill(maker, `${maker.work}/sock`, images, containers);
  // Ends the daemon, and leaves the store.
  await maker.stop();
  const prepare = (dataRoot: string) =>
    execFileSync('cp', ['-a', `${maker.dataRoot}/.`, dataRoot], { stdio: ['ignore', 'ignore', 'inherit'] });
  await using docker = await openPeer(bench, { engine: 'docker', prepare });
  await using tsengine = await openPeer(bench, { engine: 'tsengine', prepare });
  bench.progress(`listing: podman makes ${images} images and ${containers} containers`);
  await using podman = await openPeerIfAny(bench, { engine: 'podman' }, async (peer) => {
    using service = await startPodmanService(peer);
    await fill(peer, service.socket, images, containers);
  });
  const peers = [docker, tsengine, ...(podman === undefined ? [] : [podman])];
  const list = async (name: string, count: number, args: readonly string[]) => {
    for (const peer of peers) assertListed(peer, count, args);
    return await compare(bench, {
      name,
      title: `${args.join(' ')}, ${images} images and ${containers} containers`,
      unit: 'ms',
      contestants: peers.map((peer) => lister(peer, args)),
      claims: [
        { series: 'tsengine', baseline: 'docker', limit },
        ...(podman === undefined ? [] : [{ series: 'tsengine', baseline: 'podman' }]),
      ],
      times: 3,
      warmups: 3,
    });
  };
  return [await list('images', images, ['images']), await list('ps', containers, ['ps', '-a'])];
}

function lister(peer: Peer, args: readonly string[]): Contestant {
  return {
    name: peer.name,
    sample: async () => {
      await settle();
      return { [peer.name]: peer.time(...args) };
    },
  };
}

function assertListed(peer: Peer, count: number, args: readonly string[]): void {
  const lines = peer
    .ok(...args, '-q')
    .trim()
    .split('\n').length;
  if (lines !== count) throw new Error(`${peer.name} ${args.join(' ')} lists ${lines}, not ${count}`);
}

/** Makes images of one small layer each, and containers of the first of them, through the API at `socket`. */
async function fill(peer: Peer, socket: string, images: number, containers: number): Promise<void> {
  const archive = `${peer.store.path}/images.tar`;
  const list = Array.from({ length: images }, (_, index) => {
    const layer = tarOf([{ name: 'etc/' }, { name: 'etc/number', content: `${index}\n` }]);
    return { image: makeImage([layer]), tags: [`bench-${index}:latest`] };
  });
  writeFileSync(archive, dockerArchive(list));
  peer.ok('load', '-q', '-i', archive);
  rmSync(archive);
  const numbers = Array.from({ length: containers }, (_, index) => index).values();
  const worker = async () => {
    for (const index of numbers) await createContainer(socket, `job-${index}`, `bench-${index % images}`);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

async function createContainer(socketPath: string, name: string, image: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const asked = request({
    socketPath,
    method: 'POST',
    path: `/v1.41/containers/create?name=${name}`,
    headers,
  });
  const body = { Image: image, Cmd: ['/bin/true'], HostConfig: { NetworkMode: 'none' } };
  asked.end(JSON.stringify(body));
  const [answer] = await once(asked, 'response');
  answer.resume();
  await once(answer, 'end');
  if (answer.statusCode !== 201) throw new Error(`there is no container ${name}: ${answer.statusCode}`);
}
