/**
 * Workloads of drivers that this kernel lacks run in a machine of the lab, Docker beside them in the same machine. Under software
 * emulation everything takes several times as long there, for both: only the ratios mean something.
 */
import { createReadStream } from 'node:fs';
import { type LabFeature, runInMachine } from '../src/lab/lab.ts';
import { NODE_FLAGS } from '../src/node-flags.ts';
import { tinyRootfs } from '../test/helpers/base-image.ts';
import { type RepositoryResult, repositoryFormat } from './schema.ts';
import { parseVersioned } from './suite/result-file.ts';
import { hasThinPools } from './suite/stores/thin-pool.ts';
import { hasZfsModule } from './suite/stores/zpool.ts';

/** The kernel in whose release Docker is 20.10.24; results of its machine carry its name. */
export const LAB_KERNEL = 'debian:6.1';
const HOUR = 3_600_000;

/** What a driver needs, how to see that it is there, and what else a machine is to have. */
const NEEDS = {
  devicemapper: { isHere: hasThinPools, with: [], modules: 'dm_mod dm_thin_pool' },
  zfs: { isHere: hasZfsModule, with: ['zfs'], modules: 'zfs' },
} as const satisfies Record<string, { isHere(): boolean; with: readonly LabFeature[]; modules: string }>;

/** Drivers that a kernel may lack. */
export type LabDriver = keyof typeof NEEDS;

/** Whether this kernel has what a driver needs. */
export function isHere(driver: LabDriver): boolean {
  return NEEDS[driver].isHere();
}

/**
 * Node's type stripper is WebAssembly, of which Node dies now and then under emulation. What it has stripped and compiled is kept, so
 * that it is not needed when something is measured: both programs are called in vain until they do not die.
 */
const COMPILE: readonly string[] = [
  'export NODE_COMPILE_CACHE=/tmp/compiled',
  'compile() { for try in 1 2 3 4 5 6; do code=0; "$@" >/dev/null 2>&1 </dev/null || code=$?; [ $code = 139 ] || return 0; done; }',
  'compile node bench/peer.ts --only nothing',
  `compile node ${NODE_FLAGS.join(' ')} bench/workload-process.ts '{}'`,
];

/** How a workload is run there. */
export interface LabRequest {
  readonly workload: string;
  readonly driver: LabDriver;
  readonly runs: number;
  readonly quick: boolean;
  readonly seed: number;
  readonly signal: AbortSignal;
  progress(text: string): void;
}

/** Runs the workload in a machine, where the driver must be: a machine starts none itself. Gives the machine's own result. */
export async function runInLab(request: LabRequest): Promise<RepositoryResult> {
  const { workload, driver, runs, quick, seed, signal } = request;
  const needs = NEEDS[driver];
  const script = [
    'set -e; systemctl stop docker.socket docker containerd 2>/dev/null || true',
    `modprobe -a ${needs.modules}`,
    'mkdir /tmp/base; cat >/tmp/base/tiny.tar; cd /opt/tsengine',
    ...COMPILE,
    `exec node bench/peer.ts --json --only ${workload} --runs ${runs} --seed ${seed}${quick ? ' --quick' : ''}`,
  ].join('\n');
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const { exitCode } = await runInMachine({
    kernel: LAB_KERNEL,
    with: ['docker', 'systemd', ...needs.with],
    command: ['bash', '-c', script],
    env: { TSENGINE_BASE_IMAGES: '/tmp/base' },
    stdin: createReadStream(await tinyRootfs()),
    memory: 4 * 2 ** 30,
    timeoutMs: 3 * HOUR,
    signal,
    onProgress: (text) => request.progress(`${workload}: ${text}`),
    onNotice: (text) => request.progress(`${workload}: ${text}`),
    onOutput: (stream, data) => {
      chunks[stream].push(data);
    },
  });
  const textOf = (stream: 'stdout' | 'stderr'): string => Buffer.concat(chunks[stream]).toString().trim();
  const text = textOf('stdout');
  if (!text.startsWith('{'))
    throw new Error(`in a machine with ${LAB_KERNEL} it ended with ${exitCode}: ${textOf('stderr')}`);
  const result = parseVersioned(
    JSON.parse(text),
    `what a machine with ${LAB_KERNEL} wrote`,
    repositoryFormat(),
  );
  const failure = result.missing.find(({ series }) => series === null);
  if (failure !== undefined) throw new Error(`in a machine with ${LAB_KERNEL}: ${failure.reason}`);
  return result;
}
