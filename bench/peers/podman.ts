/** podman beside the others, where it is installed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Peer } from './peer.ts';

/** How long it may take to listen, in milliseconds. */
const PATIENCE = 30_000;

/** Docker's API of a podman. Disposing of it ends it; commands do without. */
export interface PodmanService extends Disposable {
  readonly socket: string;
}

/** Starts it and waits until it listens. */
export async function startPodmanService(peer: Peer): Promise<PodmanService> {
  const socket = `${peer.work}/api`;
  const { argv, env } = peer.argv('system', 'service', '--time', '0', `unix://${socket}`);
  const [file, ...args] = argv;
  const child = spawn(file, args, { env, stdio: 'ignore' });
  for (let waited = 0; !existsSync(socket); waited += 20) {
    if (child.exitCode !== null || waited > PATIENCE)
      throw new Error('podman system service does not listen');
    await sleep(20);
  }
  return { socket, [Symbol.dispose]: () => void child.kill('SIGTERM') };
}
