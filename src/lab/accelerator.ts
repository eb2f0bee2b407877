/**
 * Whether machines can use this machine's processor (KVM). That /dev/kvm is there does not say so: inside some virtual
 * machines a guest hangs. So a probe boots, and its answer is kept until the machine or QEMU changes.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TsengineError } from '../errors.ts';
import { readText, readTextIfAny, writeFileAtomic } from '../linux/files.ts';
import type { LabCache } from './cache.ts';
import { ConsoleLog } from './console.ts';
import type { LabContext } from './context.ts';
import { PROBE_ANSWER } from './guest-init.ts';
import { type Accelerator, qemuArguments, qemuProgram } from './qemu.ts';
import { QemuProcess } from './qemu-process.ts';
import { missingProgram, programEnv } from './run-program.ts';

/** Under KVM the probe answers within a second or two. Milliseconds. */
const PATIENCE = 8000;

/** What the probe boots. */
export interface Probe {
  readonly kernel: string;
  readonly initramfs: string;
}

/** QEMU's version line. Fails in one line where there is no QEMU. */
export function qemuVersion(): string {
  const found = spawnSync(qemuProgram(), ['--version'], { encoding: 'utf8', env: programEnv() });
  if (found.status !== 0 || !found.stdout.startsWith('QEMU')) {
    const purpose = 'the lab starts its machines with QEMU';
    if ((process.env.TSENGINE_LAB_QEMU ?? '') === '') throw missingProgram(qemuProgram(), purpose);
    const why = `${purpose}, and TSENGINE_LAB_QEMU names ${qemuProgram()}, which is not there or is not QEMU`;
    throw new TsengineError('Unavailable', why);
  }
  return found.stdout.split('\n')[0] ?? '';
}

/** What `TSENGINE_LAB_ACCELERATOR` asks for, if it is set. Fails when that is neither of the two. */
export function wantedAccelerator(): Accelerator | undefined {
  const wanted = process.env.TSENGINE_LAB_ACCELERATOR ?? '';
  if (wanted === 'kvm' || wanted === 'tcg') return wanted;
  if (wanted === '') return undefined;
  throw new TsengineError('InvalidParameter', `TSENGINE_LAB_ACCELERATOR is ${wanted}: it takes kvm or tcg`);
}

/** What machines are to be accelerated by: `TSENGINE_LAB_ACCELERATOR` if that is set, else what works. */
export async function chooseAccelerator(
  probe: Probe,
  cache: LabCache,
  context: LabContext,
): Promise<Accelerator> {
  const wanted = wantedAccelerator();
  if (wanted !== undefined) return wanted;
  if (!mayUseKvm()) return 'tcg';
  const path = join(cache.folder, 'accelerator');
  const question = `${readText('/proc/sys/kernel/random/boot_id').trim()} ${qemuVersion()}`;
  const [known, answer] = (readTextIfAny(path) ?? '').split('\n');
  if (known === question && (answer === 'kvm' || answer === 'tcg')) return answer;
  context.progress('looking whether machines start under KVM');
  using work = await cache.workFolder('machine');
  const works = await probeKvm(probe, work.path, context);
  const found = works ? 'kvm' : 'tcg';
  writeFileAtomic(path, `${question}\n${found}\n`, { mode: 0o644, durable: false });
  return found;
}

function mayUseKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function probeKvm(probe: Probe, temporary: string, context: LabContext): Promise<boolean> {
  const hardware = { ...probe, accelerator: 'kvm', memory: 256 * 2 ** 20, cpus: 1, disks: [] } as const;
  const log = new ConsoleLog();
  const qemu = new QemuProcess(
    qemuArguments({ ...hardware, kernelWords: ['lab.probe'] }),
    temporary,
    () => undefined,
  );
  qemu.console.on('data', (data: Buffer) => log.push(data));
  qemu.agent.resume();
  try {
    await Promise.race([qemu.ended, sleep(PATIENCE, undefined, { signal: context.signal, ref: false })]);
  } finally {
    qemu.kill();
    await qemu.ended.catch(() => undefined);
  }
  return log.lines().some((line) => line.includes(PROBE_ANSWER));
}
