/** QEMU's command line for a machine. */
import { TsengineError } from '../errors.ts';
import { AGENT_PORT, diskSerials } from './guest-init.ts';
import type { LabFeature } from './types.ts';

/** How QEMU runs the machine's processors: by the host's (KVM), or translated (TCG). */
export type Accelerator = 'kvm' | 'tcg';

/** The program; `TSENGINE_LAB_QEMU` names another one. */
export function qemuProgram(): string {
  const chosen = process.env.TSENGINE_LAB_QEMU ?? '';
  return chosen === '' ? 'qemu-system-x86_64' : chosen;
}

/** Descriptors of sockets that QEMU is given, besides its standard ones. */
export const descriptors = { console: 3, agent: 4, monitor: 5 } as const;

/** The agent's port for QEMU, which tells of the opening and closing of ports that have an id. */
export const AGENT_DEVICE = 'agent-port';

/** A disk of the machine. */
export interface MachineDisk {
  readonly path: string;
  /** By which the machine finds it. */
  readonly serial: string;
  /** `snapshot`: what is written goes into a file of QEMU's that has no name and is lost with it. */
  readonly mode: 'read-only' | 'snapshot' | 'read-write';
}

/** What a machine is made of. */
export interface MachineHardware {
  readonly accelerator: Accelerator;
  readonly kernel: string;
  readonly initramfs: string;
  /** Words for the kernel's command line besides our own. */
  readonly kernelWords: readonly string[];
  /** Bytes. */
  readonly memory: number;
  readonly cpus: number;
  readonly disks: readonly MachineDisk[];
}

/** Words of the kernel's command line that every machine has: quiet, no delays, an end instead of a stop after a panic. */
const KERNEL_WORDS = [
  ...['console=ttyS0', 'quiet', 'panic=-1', 'mitigations=off', 'random.trust_cpu=on', 'tsc=reliable'],
  ...['no_timer_check', 'cryptomgr.notests', 'rcupdate.rcu_expedited=1', 'net.ifnames=0', 'nokaslr'],
  ...['i8042.noaux', 'i8042.nokbd', 'i8042.nopnp', 'fsck.mode=skip', 'systemd.show_status=no'],
];

/**
 * What else a machine that is translated gets. QEMU keeps what it has translated by virtual address: with addresses that are
 * random, a program is translated anew each time that it is started (a start of /bin/true takes 9 ms without, 50 with them).
 */
const TRANSLATED_WORDS = ['norandmaps'];

/**
 * The processor of a machine that is translated. Five-level page tables make every look-up in translation longer, and so
 * do the checks of SMAP and its like at each entry into the kernel. QEMU (7.2) may leave nonsense in the flags after a
 * cmpxchg16b, and a kernel whose allocator goes by them (SLUB: 6.12.95) dies of double faults before it has started anything.
 */
const TRANSLATED_PROCESSOR = 'max,la57=off,smap=off,smep=off,umip=off,pku=off,cx16=off';

/** The words of the kernel's command line. AppArmor is on where systemd is, as on people's machines; else it only costs time. */
export function kernelWords(features: readonly LabFeature[], withheld: readonly string[]): readonly string[] {
  return [
    ...(features.includes('zfs') ? ['lab.zfs'] : []),
    ...(features.includes('systemd')
      ? ['lab.systemd', 'apparmor=1', 'security=apparmor', 'systemd.unified_cgroup_hierarchy=1']
      : ['apparmor=0']),
    ...(withheld.length > 0 ? [`module_blacklist=${withheld.join(',')}`] : []),
  ];
}

/** QEMU's arguments. */
export function qemuArguments(machine: MachineHardware): readonly string[] {
  const isTranslated = machine.accelerator === 'tcg';
  const words = [
    ...KERNEL_WORDS,
    ...(isTranslated ? TRANSLATED_WORDS : []),
    `lab.disks=${machine.disks.length}`,
    ...machine.kernelWords,
  ];
  checkLength(words.join(' '));
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-machine', `q35,usb=off,vmport=off,smbus=off,hpet=off,graphics=off`],
    ...['-accel', isTranslated ? 'tcg,thread=multi' : 'kvm'],
    ...['-cpu', isTranslated ? TRANSLATED_PROCESSOR : 'host'],
    ...['-m', `${Math.floor(machine.memory / 2 ** 20)}M`, '-smp', String(machine.cpus)],
    ...['-kernel', machine.kernel, '-initrd', machine.initramfs],
    ...['-append', words.join(' ')],
    ...['-chardev', `file,id=console,path=/dev/fd/${descriptors.console}`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=monitor,fd=${descriptors.monitor}`, '-mon', 'chardev=monitor,mode=control'],
    ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,fd=${descriptors.agent}`],
    ...['-device', `virtserialport,chardev=agent,name=${AGENT_PORT},id=${AGENT_DEVICE}`],
    ...['-device', 'virtio-rng-pci'],
    ...machine.disks.flatMap(diskArguments),
  ].filter((word) => word !== '');
}

/** More than this is cut off without a word. Bytes. Source: COMMAND_LINE_SIZE in arch/x86/include/asm/setup.h, with a byte for its end. */
const LONGEST_COMMAND_LINE = 2047;

function checkLength(commandLine: string): void {
  const length = Buffer.byteLength(commandLine);
  if (length <= LONGEST_COMMAND_LINE) return;
  throw new TsengineError(
    'InvalidParameter',
    `the machine's kernel would get a command line of ${length} bytes and takes ${LONGEST_COMMAND_LINE}: withhold fewer modules, or append fewer words`,
  );
}

function diskArguments(disk: MachineDisk, index: number): readonly string[] {
  const path = disk.path.replaceAll(',', ',,');
  const mode = { 'read-only': 'readonly=on', snapshot: 'snapshot=on', 'read-write': 'cache=unsafe' }[
    disk.mode
  ];
  return [
    ...['-drive', `if=none,id=drive${index},file=${path},format=raw,${mode},discard=unmap`],
    ...['-device', `virtio-blk-pci,drive=drive${index},serial=${disk.serial}`],
  ];
}

/** The disks that every machine has. */
export function systemDisks(files: {
  readonly root: string;
  readonly modules: string;
  readonly packages: string;
  readonly code: string;
}): readonly MachineDisk[] {
  return [
    { path: files.root, serial: diskSerials.root, mode: 'snapshot' },
    { path: files.modules, serial: diskSerials.modules, mode: 'read-only' },
    { path: files.packages, serial: diskSerials.packages, mode: 'read-only' },
    { path: files.code, serial: diskSerials.code, mode: 'read-only' },
  ];
}
