/** Which kernels there are, and how each becomes an entry of the cache: `vmlinuz`, `modules.squashfs`, `lib/modules/RELEASE`. */
import { readSync, statSync } from 'node:fs';
import { release as hostRelease } from 'node:os';
import { join, resolve } from 'node:path';
import { TsengineError } from '../errors.ts';
import {
  closeFile,
  listDirectory,
  makeDirectories,
  openFile,
  pathExists,
  renameFile,
} from '../linux/files.ts';
import { removeTree } from '../linux/remove-tree.ts';
import type { EntryPlan, LabCache } from './cache.ts';
import type { LabContext } from './context.ts';
import { fetchDebianKernel, type UnpackedKernel } from './debian-kernel.ts';
import { readBootHeader } from './kernel-image.ts';
import { moduleFiles, modulesIdentity } from './module-files.ts';
import { batches, makeModulesDisk } from './modules-disk.ts';
import { runProgram } from './run-program.ts';
import type { KernelChoice, OwnKernel } from './types.ts';

/** The form of a kernel's entry; another one is another hash. */
const FORM = '2';

/** A suite of Debian's whose kernel machines can have. */
export interface DebianRelease {
  /** `debian:6.1`, or `debian:` and the suite where its kernel's version has no name here. */
  readonly name: string;
  readonly suite: string;
  /** Whether its kernel's version moves on. Else its two names are those of one kernel. */
  readonly isRolling: boolean;
}

/** Debian's kernels, the oldest first, by the names that `lab kernels` shows; the suites' own names always work. */
export const debianReleases: readonly DebianRelease[] = [
  { name: 'debian:5.10', suite: 'bullseye', isRolling: false },
  { name: 'debian:6.1', suite: 'bookworm', isRolling: false },
  { name: 'debian:6.12', suite: 'trixie', isRolling: false },
  { name: 'debian:bookworm-backports', suite: 'bookworm-backports', isRolling: true },
  { name: 'debian:7.2', suite: 'sid', isRolling: true },
];

/** All that names a kernel of Debian's: by its version, and by its suite. */
export const debianChoices: readonly string[] = [
  ...new Set(debianReleases.flatMap(({ name, suite }) => [name, `debian:${suite}`])),
];

/** The release that a name is of, by version or by suite; `undefined` for a name that is none. */
function releaseOf(name: string): DebianRelease | undefined {
  return debianReleases.find((release) => release.name === name || `debian:${release.suite}` === name);
}

/** Says in which suite a name's kernel is. Throws for a name that is none. */
export function suiteOf(name: string): string {
  const known = releaseOf(name);
  if (known !== undefined) return known.suite;
  const names = [...debianReleases.map((release) => release.name), 'host'].join(', ');
  throw new TsengineError(
    'InvalidParameter',
    `there is no kernel ${name}: take ${names}, debian:SUITE, or the path of a kernel: see tsengine lab kernels`,
  );
}

/** The one name of a kernel that may have two: by its version, unless the suite's name means whatever that has now. */
export function properName(name: string): string {
  const release = releaseOf(name);
  return release === undefined || release.isRolling ? name : release.name;
}

/** The Debian release whose kernel it is, `undefined` for one of the user's or of this machine. */
export function suiteOfChoice(choice: KernelChoice): string | undefined {
  if (typeof choice !== 'string' || choice === 'host' || choice.includes('/')) return undefined;
  return suiteOf(choice);
}

/** How the kernel becomes an entry of the cache. Looks at the user's own files, and fetches nothing. */
export function kernelPlan(choice: KernelChoice, cache: LabCache, context: LabContext): EntryPlan {
  if (typeof choice !== 'string') return choice.plan ?? ownKernelPlan(choice, context);
  if (choice === 'host') return ownKernelPlan(hostKernel(), context);
  if (choice.includes('/')) return ownKernelPlan({ path: choice }, context);
  const suite = suiteOf(choice);
  // The other name of the same kernel takes the same entry.
  const name = properName(choice);
  return {
    kind: 'kernel',
    label: name.replace(':', '-'),
    madeOf: [FORM, 'debian', suite, 'amd64'],
    make: async (folder) => {
      context.progress(`kernel ${choice}: fetching it from Debian's ${suite}`);
      const unpacked = await fetchDebianKernel(suite, folder, cache, context);
      checkVersion(name, suite, unpacked.release);
      await layOut(unpacked, folder, context);
      removeTree(join(folder, 'tree'));
      return { release: unpacked.release, source: `Debian ${suite}` };
    },
  };
}

/** Fails with `NotFound` when a rolling suite has moved on: its kernel must not pass for the one that was asked for. Exported for its test. */
export function checkVersion(choice: string, suite: string, release: string): void {
  const wanted = /^debian:(\d+\.\d+)$/.exec(choice)?.[1];
  if (wanted === undefined || release.startsWith(`${wanted}.`)) return;
  const now = /^\d+\.\d+/.exec(release)?.[0] ?? release;
  throw new TsengineError(
    'NotFound',
    `Debian's ${suite} has no kernel ${wanted} any more, but ${now}: ask for debian:${suite}`,
  );
}

/** This machine's own kernel as a file, if its distribution left it there. */
function hostKernel(): OwnKernel {
  const release = hostRelease();
  const path = `/boot/vmlinuz-${release}`;
  if (!pathExists(path)) {
    throw new TsengineError(
      'Unavailable',
      `the host's own kernel ${release} cannot be started in a machine: there is no ${path}: run the command without the lab, or choose another kernel`,
    );
  }
  const modules = `/lib/modules/${release}`;
  return { path, ...(pathExists(modules) ? { modules } : {}) };
}

/** How a kernel of the user's becomes an entry. `make` fails with `Conflict` when its files are changed while they are copied. */
export function ownKernelPlan(kernel: OwnKernel, context: LabContext): EntryPlan {
  const path = resolve(kernel.path);
  const { release } = readKernel(path);
  const modules = kernel.modules === undefined ? undefined : findModules(resolve(kernel.modules), release);
  const initrd = kernel.initrd === undefined ? undefined : resolve(kernel.initrd);
  if (initrd !== undefined) checkInitrd(initrd);
  const madeOf = [
    FORM,
    identity(path, 'kernel'),
    modules === undefined ? '' : modulesIdentity(modules),
    initrd === undefined ? '' : identity(initrd, 'initial RAM disk'),
  ];
  return {
    kind: 'kernel',
    label: `own-${release.replaceAll(/[^A-Za-z0-9.+_]/g, '_')}`,
    madeOf,
    make: async (folder) => {
      context.progress(`kernel ${release}: copying it from ${path}`);
      if (initrd !== undefined) await copy(initrd, join(folder, 'initrd'), context);
      await copy(path, join(folder, 'image'), context);
      const copied = join(folder, 'copied');
      makeDirectories(copied);
      if (modules !== undefined) await copyModules(modules, copied, context);
      if (ownKernelPlan(kernel, context).madeOf.join('\0') !== madeOf.join('\0'))
        throw changedMeanwhile(path);
      await layOut({ release, image: join(folder, 'image'), modules: copied }, folder, context);
      return {
        release,
        source: path,
        ...(modules === undefined ? {} : { modules }),
        ...(initrd === undefined ? {} : { initrd }),
      };
    },
  };
}

function changedMeanwhile(path: string): TsengineError {
  return new TsengineError(
    'Conflict',
    `the kernel ${path}, its modules or its initial RAM disk were changed while they were copied: run the command again when they are built`,
  );
}

/** How an initial RAM disk begins: a cpio archive, or one compressed by what the kernel knows. Source: `lib/decompress.c`, `init/initramfs.c`. */
const INITRD_MAGICS = [
  ...['303730373031', '303730373032', '1f8b', '425a68', '5d0000', 'fd377a585a00', '894c5a4f', '02214c18'],
  ...['04224d18', '28b52ffd'],
];

function checkInitrd(path: string): void {
  identity(path, 'initial RAM disk');
  const fd = openFile(path, 'r');
  try {
    const start = Buffer.alloc(8);
    readSync(fd, start, 0, start.length, 0);
    if (INITRD_MAGICS.some((magic) => start.toString('hex').startsWith(magic))) return;
  } finally {
    closeFile(fd);
  }
  throw new TsengineError(
    'InvalidParameter',
    `${path} is no initial RAM disk: it is neither a cpio archive (newc) nor a compressed one`,
  );
}

/** Puts an unpacked kernel in the form of an entry. */
async function layOut(kernel: UnpackedKernel, folder: string, context: LabContext): Promise<void> {
  renameFile(kernel.image, join(folder, 'vmlinuz'));
  makeDirectories(join(folder, 'lib/modules'));
  renameFile(kernel.modules, join(folder, 'lib/modules', kernel.release));
  await makeModulesDisk(folder, kernel.release, context);
}

async function copy(from: string, to: string, context: LabContext): Promise<void> {
  await runProgram('cp', ['-aL', '--', from, to], { purpose: `cannot copy ${from}`, signal: context.signal });
}

/** Copies the modules and their lists, as files and not as links. */
async function copyModules(from: string, to: string, context: LabContext): Promise<void> {
  const paths = moduleFiles(from).map(({ path }) => path);
  for (const batch of batches(paths))
    await runProgram('cp', ['-L', '--parents', '-t', to, '--', ...batch], {
      purpose: `cannot copy ${from}`,
      cwd: from,
      signal: context.signal,
    });
}

/** A file by its path, size and time: what makes two files the same for the cache. */
function identity(path: string, what: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new TsengineError('NotFound', `there is no ${what} at ${path}`);
  if (!found.isFile()) throw new TsengineError('InvalidParameter', `the ${what} ${path} is not a file`);
  return `${path} ${found.size} ${found.mtimeMs}`;
}

/** Reads what kernel a file holds. Fails with `NotFound` where no file is, with `InvalidParameter` on one that is no kernel. */
export function readKernel(path: string): { readonly release: string } {
  identity(path, 'kernel');
  const fd = openFile(path, 'r');
  try {
    const start = Buffer.alloc(64 * 1024);
    const release = readBootHeader(start.subarray(0, readSync(fd, start, 0, start.length, 0)));
    if (release !== undefined) return { release };
  } finally {
    closeFile(fd);
  }
  throw new TsengineError(
    'InvalidParameter',
    `${path} is not a Linux kernel that a machine can start: give a bzImage for x86-64`,
  );
}

/** The folder of modules in what the user named: itself, or the one in it that is the kernel's. Fails with `InvalidParameter` where neither is. */
export function findModules(named: string, release: string): string {
  const candidates = [named, ...[release, `lib/modules/${release}`].map((name) => join(named, name))];
  const found = candidates.find((folder) => pathExists(join(folder, 'modules.dep')));
  if (found !== undefined && (found !== named || named.endsWith(`/${release}`) || hasNoRelease(named)))
    return found;
  if (pathExists(named) && !statSync(named).isDirectory())
    throw new TsengineError('InvalidParameter', `--modules names ${named}, which is no folder`);
  const others = listDirectory(named).filter((name) => pathExists(join(named, name, 'modules.dep')));
  const has = found !== undefined ? `modules of another kernel` : others.length > 0 ? others.join(', ') : '';
  throw new TsengineError(
    'InvalidParameter',
    `${named} holds no modules of the kernel ${release}${has === '' ? ': no modules.dep is there' : `, but ${has}`}`,
  );
}

/** Whether a folder's name says nothing about whose modules are in it. */
function hasNoRelease(folder: string): boolean {
  return !/^\d+\.\d+/.test(folder.slice(folder.lastIndexOf('/') + 1));
}
