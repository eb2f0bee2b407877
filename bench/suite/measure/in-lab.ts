/** Blocks on a kernel of the lab: drivers that this kernel lacks, and their filesystems without a driver in the same machine. */
import { spawn } from 'node:child_process';
import { TsengineError } from '../../../src/errors.ts';
import { runInMachine } from '../../../src/lab/lab.ts';
import { byLine } from '../../../src/lab/matrix/events.ts';
import { isBundle } from '../../../src/lab/matrix/self.ts';
import type { BenchEvent } from './events.ts';
import { parseEventLine } from './events.ts';
import type { MachineBenchRequest } from './in-machine.ts';
import { BENCH_COMMAND } from './isolated-block.ts';
import { LAB_MEMORY } from './subjects.ts';

const GIB = 1024 ** 3;
/** Bytes of the disk that the machine gets for stores. It is a sparse file. */
const DISK = 64 * GIB;
/** How long it may take to boot, and to come to an end once its time is over: it may be emulated. */
const BOOT_MS = 900_000;
const SLACK_MS = 3_600_000;

/** Where the volume of programs is in the machine. */
const TOOLS_IN_MACHINE = '/tmp/bench-tools';

/** How it is watched. */
export interface LabListener {
  readonly signal: AbortSignal | undefined;
  emit(event: BenchEvent): void;
  /** Takes a line for what takes long before anything is measured. */
  note(line: string): void;
}

/** Starts a machine with the kernel and measures there what the request says. Fails where there is no machine to be had, and when it dies. */
export async function runInLab(
  kernel: string,
  request: MachineBenchRequest,
  withZfs: boolean,
  listener: LabListener,
): Promise<void> {
  const inMachine: MachineBenchRequest = { ...request, tools: TOOLS_IN_MACHINE };
  // Its own package of programs may lack some, and has other versions.
  const archive = spawn('tar', ['-C', request.tools, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const script = [
    `mkdir ${TOOLS_IN_MACHINE} && tar -x -C ${TOOLS_IN_MACHINE}`,
    `exec tsengine ${BENCH_COMMAND} --disk /dev/lab/disk1 --machine "$1"`,
  ].join(' && ');
  let said = '';
  const out = byLine((line) => {
    const event = parseEventLine(line);
    if (event !== undefined) listener.emit(event);
  });
  const err = byLine((line) => {
    if (line.trim() !== '') said = line.trim();
  });
  const { signal } = listener;
  const ended = await runInMachine({
    kernel,
    command: ['sh', '-c', script, 'sh', JSON.stringify(inMachine)],
    env: { TSENGINE_SOURCES: isBundle() ? '0' : '1' },
    ...(withZfs ? { with: ['zfs' as const] } : {}),
    memory: LAB_MEMORY,
    disks: [DISK],
    stdin: archive.stdout,
    bootTimeoutMs: BOOT_MS,
    timeoutMs: Math.min(2 ** 31 - 1, request.budgetMs + SLACK_MS),
    onOutput: (stream, data) => (stream === 'stdout' ? out(data) : err(data)),
    onProgress: (line) => listener.note(line),
    onNotice: (line) => listener.note(line),
    ...(signal === undefined ? {} : { signal }),
  });
  if (ended.exitCode !== 0)
    throw new TsengineError(
      'System',
      `the benchmark in a machine with ${kernel} ended with ${ended.exitCode}: ${ended.shortage ?? said}`,
    );
}
