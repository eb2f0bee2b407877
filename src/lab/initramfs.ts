/** Our initial RAM disk: busybox, the few modules that the disks need, the first script and the agent. */
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { TsengineError } from '../errors.ts';
import { pathExists, readFile, writeNewFile } from '../linux/files.ts';
import type { EntryPlan, ListedEntry } from './cache.ts';
import { type CpioEntry, cpioArchive, padded } from './cpio.ts';
import { agentProgram } from './guest-agent.ts';
import { applets, helpfulModules, INIT_SCRIPT, neededModules } from './guest-init.ts';
import { loadOrder, type ModuleTable, missingModules, moduleName, readModules } from './modules.ts';
import { notInstalled } from './run-program.ts';

const FOLDERS = ['bin', 'dev', 'proc', 'sys', 'root', 'modules', 'etc'];

/** The entry of a kernel's initial RAM disk, `initramfs.cpio`. Fails for a kernel that cannot work in a machine. */
export function initramfsPlan(kernel: ListedEntry): EntryPlan {
  const release = kernel.record.details.release ?? '';
  const folder = join(kernel.folder, 'lib/modules', release);
  const table = readModules(folder);
  checkKernel(release, table);
  const busybox = readFile(findBusybox());
  const order = loadOrder([...helpfulModules, ...neededModules], table);
  const hash = createHash('sha256').update(busybox).digest('hex');
  return {
    kind: 'initramfs',
    label: kernel.record.label,
    madeOf: [kernel.name, kernel.record.made, hash, INIT_SCRIPT, agentProgram(), ...order],
    make: async (made) => {
      const ours = cpioArchive(entries(busybox, order, folder));
      // Several archives may follow one another; a later file of the same name wins, so that our /init runs.
      const first = join(kernel.folder, 'initrd');
      const image = pathExists(first) ? Buffer.concat([padded(readFile(first)), ours]) : ours;
      writeNewFile(join(made, 'initramfs.cpio'), image, { mode: 0o644 });
      return { release, modules: String(order.length) };
    },
  };
}

/** The kernel lacks what every machine needs: that is the kernel's doing, and not the lab's. */
export class UnfitKernelError extends TsengineError {
  constructor(message: string) {
    super('InvalidParameter', message);
  }
}

/** A kernel that came without modules tells nothing of what is built in, and is tried. */
function checkKernel(release: string, table: ModuleTable): void {
  if (table.files.size === 0 && table.builtIn.size === 0) return;
  const missing = missingModules(neededModules, table);
  if (missing.length === 0) return;
  throw new UnfitKernelError(
    `the kernel ${release} cannot run in the lab: it has no ${missing.join(', ')}, built in or as a module`,
  );
}

function entries(busybox: Buffer, order: readonly string[], modules: string): readonly CpioEntry[] {
  return [
    ...FOLDERS.map((path): CpioEntry => ({ type: 'directory', path })),
    { type: 'device', path: 'dev/console', major: 5, minor: 1 },
    { type: 'file', path: 'bin/busybox', data: busybox, executable: true },
    ...applets.map((name): CpioEntry => ({ type: 'link', path: `bin/${name}`, target: 'busybox' })),
    { type: 'file', path: 'init', data: Buffer.from(INIT_SCRIPT), executable: true },
    { type: 'file', path: 'agent.py', data: Buffer.from(agentProgram()) },
    ...order.map(
      (path): CpioEntry => ({
        type: 'file',
        path: `modules/${moduleName(path)}.ko`,
        data: readFile(join(modules, path)),
      }),
    ),
    {
      type: 'file',
      path: 'modules/order',
      data: Buffer.from(order.map((path) => `${moduleName(path)}.ko\n`).join('')),
    },
  ];
}

/** A busybox that needs no libraries: the one of Debian's busybox-static. */
function findBusybox(): string {
  for (const path of ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox']) {
    try {
      accessSync(path, constants.R_OK);
      if (isStatic(readFile(path))) return path;
    } catch {
      // Not there.
    }
  }
  throw new TsengineError(
    'Unavailable',
    `cannot make an initial RAM disk: ${notInstalled('a statically linked busybox', 'busybox-static')}`,
  );
}

/** Whether an ELF program asks for no interpreter. Source: elf(5), `PT_INTERP`. */
function isStatic(program: Buffer): boolean {
  const at = Number(program.readBigUInt64LE(32));
  const size = program.readUInt16LE(54);
  const count = program.readUInt16LE(56);
  const types = Array.from({ length: count }, (_, index) => program.readUInt32LE(at + index * size));
  return !types.includes(3);
}
