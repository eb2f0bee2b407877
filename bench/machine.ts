/** Where and with what was measured. */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { dockerVersion } from '../test/helpers/docker.ts';

/** The machine and the programs, to stand above the figures. */
export interface Machine {
  readonly kernel: string;
  readonly processors: string;
  readonly memory: string;
  /** Before the first measurement: figures of a busy machine say little. */
  readonly load: readonly number[];
  readonly disk: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Describes this machine, now. `tsengine` is the launcher. */
export function describeMachine(tsengine: string): Machine {
  return {
    kernel: release(),
    processors: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory: `${(totalmem() / 1024 ** 3).toFixed(1)} GiB`,
    load: loadavg().map((value) => Number(value.toFixed(2))),
    disk: `ext4 on a loop device on ${first('findmnt', ['-no', 'FSTYPE', '-T', tmpdir()])}`,
    versions: {
      docker: dockerVersion() ?? 'none',
      tsengine: first(tsengine, ['--version']),
      node: process.version,
      runc: first('runc', ['--version']),
      conmon: first('conmon', ['--version']),
      tar: first('tar', ['--version']),
      unpigz: first('unpigz', ['--version']),
    },
  };
}

/** The first line that a command prints; `none` where it is not there. */
function first(file: string, args: readonly string[]): string {
  const { stdout, status } = spawnSync(file, args, {
    encoding: 'utf8',
    env: { ...process.env, TSENGINE_SOURCES: '0' },
  });
  return status === 0 ? (stdout.split('\n')[0] ?? '').trim() : 'none';
}

/** The same in lines. */
export function formatMachine({ kernel, processors, memory, load, disk, versions }: Machine): string {
  const programs = Object.entries(versions).map(([name, version]) => `  ${name.padEnd(10)}${version}`);
  return [
    `Linux ${kernel}, ${processors}, ${memory}, load before ${load.join(' ')}`,
    disk,
    ...programs,
    '',
  ].join('\n');
}
