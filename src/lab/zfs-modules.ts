/**
 * OpenZFS for a kernel of the lab: Debian's zfs-dkms, compiled against that kernel's headers in a root of the kernel's own
 * release, whose compiler made the kernel. What comes out is a disk of modules that takes the place of the kernel's.
 */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errorMessage, TsengineError } from '../errors.ts';
import { listDirectory, makeDirectories, makeDirectory, renameFile } from '../linux/files.ts';
import { removeTree } from '../linux/remove-tree.ts';
import type { EntryPlan, LabCache, ListedEntry } from './cache.ts';
import type { LabContext } from './context.ts';
import { DebianSuite, debianMirror } from './debian-sources.ts';
import { makeDebianTree } from './debian-tree.ts';
import { type ModuleTable, moduleName, readModules } from './modules.ts';
import { makeModulesDisk } from './modules-disk.ts';
import { runProgram } from './run-program.ts';

/** The form of the entry; another one is another hash. */
const FORM = '1';

/** Where ZFS is in Debian: its licence keeps it out of main. */
export const ZFS_COMPONENTS = 'main contrib';

/** What zfs-dkms needs to compile, besides the kernel's headers. */
const TOOLS = ['dkms', 'file', 'libc6-dev', 'lsb-release', 'python3', 'openssl', 'kmod'];

const PURPOSE = 'cannot compile OpenZFS';

/**
 * Run below the tree, in a mount namespace of its own: $1 is the tree, $2 zfs-dkms's version, $3 the kernel's release.
 * What the compiler says is kept in the tree by dkms; of a failure its last lines are told.
 */
const COMPILE = `set -eu
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --rbind /sys "$1/sys"
chroot "$1" dkms build -m zfs -v "$2" -k "$3" || {
  grep -hE '(error|Error|ERROR)[: ]' "$1/var/lib/dkms/zfs/$2/build/make.log" "$1/var/lib/dkms/zfs/$2/build/config.log" | tail -n 1 >&2
  exit 1
}
`;

/** A kernel that there is no OpenZFS for: it brings none, and none can be compiled. All else that goes wrong says nothing of the kernel. */
export class NoZfsError extends TsengineError {
  constructor(message: string, options?: ErrorOptions) {
    super('Unavailable', message, options);
  }
}

/** What every release of zfs-dkms compiles, whatever else; the entry holds a disk and no lists. */
const COMPILED = ['spl', 'zfs'];

/** Whether a module is one of those that `zfsPlan` compiles. */
export function isCompiledModule(name: string): boolean {
  return COMPILED.includes(moduleName(name));
}

/** A kernel's table with what `zfsPlan` adds to its modules. */
export function withZfs({ files, builtIn }: ModuleTable): ModuleTable {
  const added = COMPILED.map((name) => [name, { path: `updates/dkms/${name}.ko`, needs: [] }] as const);
  return { files: new Map([...files, ...added]), builtIn };
}

/** Whether a kernel brings zfs itself, as a module or built in. */
export function hasZfs(kernel: ListedEntry): boolean {
  const { files, builtIn } = readModules(modulesOf(kernel.folder, releaseOf(kernel)));
  return files.has('zfs') || builtIn.has('zfs');
}

/** The entry of the kernel's modules with zfs among them, `modules.squashfs`. `suite` is the Debian release that the kernel is of. */
export function zfsPlan(kernel: ListedEntry, suite: string, cache: LabCache, context: LabContext): EntryPlan {
  const release = releaseOf(kernel);
  return {
    kind: 'modules',
    label: `zfs-${kernel.record.label}`,
    madeOf: [FORM, kernel.name, kernel.record.made, suite, COMPILE, ...TOOLS],
    make: async (folder) => {
      context.progress(
        `OpenZFS: compiling Debian ${suite}'s for the kernel ${release}, which takes ten minutes or more`,
      );
      const version = await compile(folder, release, suite, cache, context);
      await addToModules(kernel, folder, release, context);
      return { release, zfs: version, source: `Debian ${suite}` };
    },
  };
}

function releaseOf(kernel: ListedEntry): string {
  return kernel.record.details.release ?? '';
}

function modulesOf(folder: string, release: string): string {
  return join(folder, 'lib/modules', release);
}

/** Leaves the compiled modules in `folder/zfs`, and gives their version. */
async function compile(
  folder: string,
  release: string,
  suite: string,
  cache: LabCache,
  context: LabContext,
): Promise<string> {
  const mirror = await debianMirror(cache, context);
  const packages = await DebianSuite.fetch(mirror, suite, join(folder, 'apt'), context, ZFS_COMPONENTS);
  const work = join(folder, 'packages');
  makeDirectory(work);
  await packages.download(['zfs-dkms'], work);
  const tree = join(folder, 'tree');
  await makeDebianTree({
    suite,
    tree,
    packages: [...TOOLS, `linux-headers-${release}`],
    components: ZFS_COMPONENTS,
    mirror,
    purpose: PURPOSE,
    context,
  });
  const { signal } = context;
  for (const name of listDirectory(work))
    await runProgram('dpkg-deb', ['-x', join(work, name), tree], { purpose: PURPOSE, signal });
  const version = versionOf(tree, suite);
  await runProgram('chroot', [tree, 'dkms', 'add', '-m', 'zfs', '-v', version], { purpose: PURPOSE, signal });
  await runProgram('sh', ['-c', COMPILE, 'sh', tree, version, release], {
    purpose: `${PURPOSE} ${version} for the kernel ${release}`,
    contained: true,
    signal,
  }).catch((error: unknown) => {
    signal?.throwIfAborted();
    const isFull = /no space left|disk full|write error/i.test(errorMessage(error));
    throw isFull ? error : new NoZfsError(errorMessage(error), { cause: error });
  });
  const built = globSync(`var/lib/dkms/zfs/${version}/${release}/*/module/*.ko*`, { cwd: tree });
  if (built.length === 0)
    throw new TsengineError('System', `${PURPOSE} for the kernel ${release}: dkms built no module`);
  makeDirectory(join(folder, 'zfs'));
  for (const file of built) renameFile(join(tree, file), join(folder, 'zfs', basename(file)));
  for (const name of ['tree', 'tmp', 'apt', 'packages']) removeTree(join(folder, name));
  return version;
}

/** The version of the sources that zfs-dkms has put below /usr/src. */
function versionOf(tree: string, suite: string): string {
  const [found] = listDirectory(join(tree, 'usr/src')).flatMap(
    (name) => /^zfs-(\d.*)$/.exec(name)?.[1] ?? [],
  );
  if (found === undefined)
    throw new TsengineError('Corrupt', `Debian ${suite}'s zfs-dkms holds no sources where it should`);
  return found;
}

/** The kernel's own modules and those in `folder/zfs`, as one disk. */
async function addToModules(
  kernel: ListedEntry,
  folder: string,
  release: string,
  context: LabContext,
): Promise<void> {
  const modules = modulesOf(folder, release);
  makeDirectories(join(folder, 'lib/modules'));
  await runProgram('cp', ['-a', '--', modulesOf(kernel.folder, release), modules], {
    purpose: PURPOSE,
    signal: context.signal,
  });
  makeDirectories(join(modules, 'updates'));
  renameFile(join(folder, 'zfs'), join(modules, 'updates/dkms'));
  await makeModulesDisk(folder, release, context);
  removeTree(join(folder, 'lib'));
}
