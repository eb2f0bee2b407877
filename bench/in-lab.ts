/**
 * Workloads of drivers that this kernel lacks run in a machine of the lab, Docker beside them in the same machine. Under software
 * emulation everything takes several times as long there, for both: only the ratios mean something.
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { type LabFeature, runInMachine } from '../src/lab/lab.ts';
import { tinyRootfs } from '../test/helpers/base-image.ts';
import type { Bench, Workload } from './bench.ts';
import type { Comparison } from './comparison.ts';

/** The kernel in whose release Docker is 20.10.24. */
const KERNEL = 'debian:6.1';
const HOUR = 3_600_000;

/** What a driver needs, how to see that it is there, and what else a machine is to have. */
const NEEDS = {
  devicemapper: { isHere: () => / device-mapper$/m.test(readFileSync('/proc/devices', 'utf8')), with: [] },
  zfs: { isHere: () => existsSync('/dev/zfs'), with: ['zfs'] },
} as const satisfies Record<string, { isHere(): boolean; with: readonly LabFeature[] }>;

/** A workload of a driver's that runs where the driver does. */
export function whereDriverIs(driver: keyof typeof NEEDS, workload: Workload): Workload {
  const { isHere, with: features } = NEEDS[driver];
  return {
    name: workload.name,
    run: (bench) => (isHere() ? workload.run(bench) : inMachine(bench, workload.name, features)),
  };
}

/** Runs the workload of that name in a machine, where the driver must be: a machine starts none itself. */
async function inMachine(
  bench: Bench,
  name: string,
  features: readonly LabFeature[],
): Promise<readonly Comparison[]> {
  const script = [
    'set -e; systemctl stop docker.socket docker containerd 2>/dev/null || true',
    `modprobe -a ${features.includes('zfs') ? 'zfs' : 'dm_mod dm_thin_pool'}`,
    'mkdir /tmp/base; cat >/tmp/base/tiny.tar; cd /opt/tsengine',
    `exec node bench/peer.ts --json --only ${name} --runs ${bench.runs}${bench.quick ? ' --quick' : ''}`,
  ].join('\n');
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const { exitCode } = await runInMachine({
    kernel: KERNEL,
    with: ['docker', 'systemd', ...features],
    command: ['bash', '-c', script],
    env: { TSENGINE_BASE_IMAGES: '/tmp/base' },
    stdin: createReadStream(await tinyRootfs()),
    memory: 4 * 2 ** 30,
    timeoutMs: 3 * HOUR,
    onNotice: (text) => bench.progress(`${name}: ${text}`),
    onOutput: (stream, data) => {
      chunks[stream].push(data);
    },
  });
  const [stdout, stderr] = [chunks.stdout, chunks.stderr].map((parts) =>
    Buffer.concat(parts).toString().trim(),
  );
  if (stdout?.startsWith('{') !== true)
    throw new Error(`in a machine with ${KERNEL} it ended with ${exitCode}: ${stderr}`);
  const { comparisons, failures }: MachineReport = JSON.parse(stdout);
  const [failure] = failures;
  if (failure !== undefined) throw new Error(`in a machine with ${KERNEL}: ${failure.error}`);
  return comparisons.map((one) => ({ ...one, notes: [...one.notes, `in a machine with ${KERNEL}`] }));
}

/** What `peer.ts --json` prints. */
interface MachineReport {
  readonly comparisons: readonly Comparison[];
  readonly failures: readonly { readonly name: string; readonly error: string }[];
}
