/** podman as an engine, with runc, which runs on every kind of cgroup. */
import { mkdirSync } from 'node:fs';
import { findProgram } from '../../../src/engine/runtime/programs.ts';
import { TsengineError } from '../../../src/errors.ts';
import { runTool } from '../../../src/lab/matrix/tool.ts';
import { untilIdle } from '../../peers/processes.ts';
import type { DockerOptions } from './docker-engine.ts';
import type { Engine } from './engine.ts';

/** The version that would be taken; fails with `Unavailable` where there is none. */
export function mustHavePodman(): string {
  if (findProgram('podman') === undefined)
    throw new TsengineError('Unavailable', 'there is no podman to compare with: apt-get install podman');
  return runTool('podman', ['--version'], 'podman').trim().replace('podman version ', '');
}

/** Gives it; nothing is started, and nothing of it stays. */
export function openPodman({ driver, dataRoot, work, storageOptions }: DockerOptions): Engine {
  const version = mustHavePodman();
  mkdirSync(work, { recursive: true });
  return {
    name: 'podman',
    command: {
      words: [
        'podman',
        ...['--root', dataRoot, '--runroot', `${work}/run`, '--tmpdir', `${work}/tmp`],
        ...['--storage-driver', driver],
        ...['--runtime', 'runc', '--cgroup-manager', 'cgroupfs', '--events-backend', 'none'],
        ...storageOptions.flatMap((option) => ['--storage-opt', option]),
      ],
      env: process.env,
    },
    version,
    quiet: () => untilIdle(dataRoot),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
