/** A whole run of the repository benchmark. */
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { errorMessage } from '../src/errors.ts';
import type { Workload } from './bench.ts';
import type { WorkloadEvent } from './events.ts';
import { isHere, LAB_KERNEL, runInLab } from './in-lab.ts';
import { runIsolated } from './isolated.ts';
import { install } from './peers/installed.ts';
import { type Comparison, type Missing, REPOSITORY_VERSION, type RepositoryResult } from './schema.ts';
import { mustHaveDocker } from './suite/measure/docker-engine.ts';
import { describeMachine } from './suite/measure/machine.ts';
import { mustHavePodman } from './suite/measure/podman-engine.ts';
import type { Machine } from './suite/schema.ts';

/** What is asked for. */
export interface RunRequest {
  readonly workloads: readonly Workload[];
  readonly runs: number;
  readonly quick: boolean;
  readonly seed: number;
  /** The command that is on record as what measures the same again. */
  readonly command: string;
  /** Ends it: what is done stays. */
  readonly signal: AbortSignal;
}

/** Told while it goes on. */
export interface RunListener {
  /** Before anything is measured. */
  begins(machine: Machine): void;
  /** What is done now. */
  progress(text: string): void;
  /** A comparison is done, or something could not be measured. */
  found(one: Comparison | Missing): void;
}

/** Measures one workload after the other. One that fails does not keep the others from running. */
export async function runBenchmark(request: RunRequest, listener: RunListener): Promise<RepositoryResult> {
  if (process.geteuid?.() !== 0)
    throw new Error('the benchmark makes filesystems and runs containers: run it as root');
  const begun = performance.now();
  const started = new Date().toISOString();
  using installed = install();
  const { launcher } = installed;
  const [version, commit = ''] = buildOf(launcher);
  // In the process of a workload, which has folders of its own, it must be found all the same.
  const images = resolve(tmpdir());
  const host = describeMachine('host', images);
  host.versions = {
    ...host.versions,
    tsengine: `${version}, build ${commit}`,
    docker: await orNone(mustHaveDocker),
    podman: await orNone(mustHavePodman),
    ...versionsOfTools(),
  };
  listener.begins(host);
  const machines: Machine[] = [host];
  const comparisons: Comparison[] = [];
  const missing: Missing[] = [];
  const found = (one: Comparison): void => {
    comparisons.push(one);
    listener.found(one);
  };
  const misses = (workload: string, series: string | null, reason: string): void => {
    const one = { workload, series, reason };
    missing.push(one);
    listener.found(one);
  };
  const { runs, quick, signal } = request;
  for (const [index, { name, driver }] of request.workloads.entries()) {
    const seed = (request.seed + index) >>> 0;
    const emit = (event: WorkloadEvent): void => {
      if (event.event === 'progress') listener.progress(event.text);
      if (event.event === 'version') host.versions[event.name] = event.version;
      if (event.event === 'missing') misses(name, event.series, event.reason);
      if (event.event === 'comparison') found(event.comparison);
    };
    try {
      signal.throwIfAborted();
      if (driver === undefined || isHere(driver)) {
        const at = performance.now() - begun;
        const of = { runs, quick, seed, launcher, images, owner: process.pid, at };
        await runIsolated({ ...of, workload: name }, signal, emit);
        continue;
      }
      const progress = (text: string): void => listener.progress(text);
      const inLab = await runInLab({ runs, quick, seed, signal, progress, workload: name, driver });
      const [machine] = inLab.machines;
      if (machine !== undefined && !machines.some(({ id }) => id === LAB_KERNEL))
        machines.push({ ...machine, id: LAB_KERNEL, isVirtual: true });
      // It measured the harness over there as well.
      for (const one of inLab.comparisons) if (one.name !== 'harness') found({ ...one, machine: LAB_KERNEL });
    } catch (error) {
      if (signal.aborted) break;
      misses(name, null, errorMessage(error));
    }
  }
  return {
    ...{ version: REPOSITORY_VERSION, benchmark: 'repository', tsengine: version, commit, started },
    ...{ command: request.command, seconds: Math.round((performance.now() - begun) / 100) / 10 },
    ...{ seed: request.seed, runs, quick, interrupted: signal.aborted },
    ...{ machines, comparisons, missing },
  };
}

/** The version and the commit of a build. */
function buildOf(launcher: string): readonly [version: string, commit: string] {
  const line = firstLine(launcher, ['--version']);
  const [, version = line, commit = 'unknown'] = /^tsengine version (\S+), build (\S+)$/.exec(line) ?? [];
  return [version, commit];
}

function versionsOfTools(): Record<string, string> {
  const versions: Record<string, string> = { node: process.version };
  for (const name of ['runc', 'conmon', 'tar', 'cp', 'unpigz'])
    versions[name] = firstLine(name, ['--version']).replace(/^\S+ (?:\([^)]*\) |version )/, '');
  return versions;
}

/** What a program says that need not be there. */
async function orNone(version: () => string | Promise<string>): Promise<string> {
  try {
    return await version();
  } catch {
    return 'none';
  }
}

/** The first line that a command prints; `none` where it is not there. */
function firstLine(file: string, args: readonly string[]): string {
  const { stdout, status } = spawnSync(file, args, {
    encoding: 'utf8',
    env: { ...process.env, TSENGINE_SOURCES: '0' },
  });
  return status === 0 ? (stdout.split('\n')[0] ?? '').trim() : 'none';
}
