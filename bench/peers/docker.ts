/** Docker 20.10.24 as a peer: a dockerd of the benchmark's own. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dockerMissing, startDocker } from '../../test/helpers/docker.ts';
import { atExit } from '../../test/helpers/loop.ts';
import type { PeerParts } from './peer.ts';

/** Docker, with what only it has. */
export interface DockerParts extends PeerParts {
  readonly socket: string;
  /** The daemon's process. */
  readonly pid: number;
}

/** How long the daemon gets for what it does after a client has ended; it has no way of telling. */
const afterwork = 50;

/** Starts a dockerd whose data root is on `disk`. Throws where there is none. */
export async function openDocker(disk: string, storageDriver = 'overlay2'): Promise<DockerParts> {
  const missing = dockerMissing();
  if (missing !== undefined) throw new Error(`no Docker to compare with: ${missing}`);
  const docker = await startDocker({ dataRoot: `${disk}/docker`, parent: '/run', storageDriver });
  const cancel = atExit(() => killNow(docker.pid, dirname(docker.socket)));
  return {
    name: 'docker',
    command: docker.command,
    env: docker.env,
    dataRoot: docker.dataRoot,
    socket: docker.socket,
    pid: docker.pid,
    quiet: () => sleep(afterwork),
    [Symbol.asyncDispose]: async () => {
      await docker[Symbol.asyncDispose]();
      cancel();
    },
  };
}

/** When the benchmark is ended in the middle: stops the daemon and removes its folder. */
function killNow(pid: number, folder: string): void {
  const alive = (signal: 'SIGTERM' | 0): boolean => {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  };
  const pause = new Int32Array(new SharedArrayBuffer(4));
  if (alive('SIGTERM')) for (let tries = 0; tries < 100 && alive(0); tries++) Atomics.wait(pause, 0, 0, 100);
  rmSync(folder, { recursive: true, force: true });
}
