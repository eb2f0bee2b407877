/**
 * Whether machines can use this machine's processor (KVM). That /dev/kvm is there does not say so: inside some virtual
 * machines a guest hangs. So a probe boots. A yes holds for all kernels until this machine or QEMU changes; a no may be the
 * kernel's own fault, or that of a busy hour, and holds for that kernel and an hour.
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

/** How long a no is believed. Milliseconds. */
const NO_HOLDS = 3_600_000;

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

/** How it is found out whether KVM works: other ways than the usual ones are for tests. */
export interface ProbeOptions {
  /** KVM's device. */
  readonly device?: string;
  /** How long the probe may take. Milliseconds. */
  readonly patience?: number;
}

/** What machines are to be accelerated by: `TSENGINE_LAB_ACCELERATOR` if that is set, else what works. */
export async function chooseAccelerator(
  probe: Probe,
  cache: LabCache,
  context: LabContext,
  { device = '/dev/kvm', patience = PATIENCE }: ProbeOptions = {},
): Promise<Accelerator> {
  const wanted = wantedAccelerator();
  if (wanted !== undefined) return wanted;
  if (!mayUse(device)) return 'tcg';
  const path = join(cache.folder, 'accelerator');
  const place = `${readText('/proc/sys/kernel/random/boot_id').trim()} ${qemuVersion()}`;
  const known = knownAnswer(readTextIfAny(path) ?? '', place, probe, Date.now());
  if (known !== undefined) return known;
  context.progress('looking whether machines start under KVM');
  using work = await cache.workFolder('machine');
  const works = await probeKvm(probe, work.path, context, patience);
  const text = withAnswer(readTextIfAny(path) ?? '', place, probe, works, Date.now());
  try {
    writeFileAtomic(path, text, { mode: 0o644, durable: false });
  } catch {
    // An answer that is not noted, on a full disk say, is asked for again.
  }
  return works ? 'kvm' : 'tcg';
}

/**
 * What the file of answers says for a probe; `undefined` when it has to be tried. Its first line is the place that it is
 * about, this start of the machine and QEMU's version; then come `yes`, or lines `no TIME INITRAMFS`. Exported for its test.
 */
export function knownAnswer(text: string, place: string, probe: Probe, now: number): Accelerator | undefined {
  const [about, ...lines] = text.split('\n');
  if (about !== place) return undefined;
  if (lines.includes('yes')) return 'kvm';
  const isNo = noes(lines).some(({ of, at }) => of === probe.initramfs && at <= now && now - at < NO_HOLDS);
  return isNo ? 'tcg' : undefined;
}

/** The file of answers with one more. Of two that are written at once one is lost, and asked again. Exported for its test. */
export function withAnswer(text: string, place: string, probe: Probe, works: boolean, now: number): string {
  if (works) return `${place}\nyes\n`;
  const [about, ...lines] = text.split('\n');
  const others = about === place ? noes(lines).filter(({ of }) => of !== probe.initramfs) : [];
  const all = [...others, { at: now, of: probe.initramfs }];
  return `${place}\n${all.map(({ at, of }) => `no ${at} ${of}\n`).join('')}`;
}

function noes(lines: readonly string[]): readonly { readonly at: number; readonly of: string }[] {
  return lines.flatMap((line) => {
    const [, at, of] = /^no (\d+) (.+)$/.exec(line) ?? [];
    return at === undefined || of === undefined ? [] : [{ at: Number(at), of }];
  });
}

function mayUse(device: string): boolean {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function probeKvm(
  probe: Probe,
  temporary: string,
  context: LabContext,
  patience: number,
): Promise<boolean> {
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
    await Promise.race([qemu.ended, sleep(patience, undefined, { signal: context.signal, ref: false })]);
  } finally {
    qemu.kill();
    await qemu.ended.catch(() => undefined);
  }
  return log.lines().some((line) => line.includes(PROBE_ANSWER));
}
