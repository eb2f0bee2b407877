/** Debian's kernels for virtual machines (linux-image-cloud-amd64), out of the suite's packages. */
import { join } from 'node:path';
import { TsengineError } from '../errors.ts';
import { listDirectory, makeDirectory } from '../linux/files.ts';
import { removeTree } from '../linux/remove-tree.ts';
import type { LabCache } from './cache.ts';
import type { LabContext } from './context.ts';
import { DebianSuite, debianMirror } from './debian-sources.ts';
import { runProgram } from './run-program.ts';

/** The package that depends on the newest kernel of a suite. */
const NEWEST = 'linux-image-cloud-amd64';
/** What a kernel is split into: sid has its image, its modules and the lists of what is built in in packages of their own. */
const PART = /^linux-(?:image|base|binary|modules)-[0-9]/;

/** A kernel's files, unpacked. */
export interface UnpackedKernel {
  /** `uname -r`. */
  readonly release: string;
  /** The bzImage. */
  readonly image: string;
  /** The folder of its modules. */
  readonly modules: string;
}

/** Which of a package's dependencies are parts of a kernel. Exported for its test. */
export function kernelParts(dependencies: readonly string[]): readonly string[] {
  return dependencies.filter((name) => PART.test(name) && !name.endsWith('-unsigned'));
}

/** Downloads and unpacks the newest kernel of a suite below `folder`. */
export async function fetchDebianKernel(
  suite: string,
  folder: string,
  cache: LabCache,
  context: LabContext,
): Promise<UnpackedKernel> {
  const mirror = await debianMirror(cache, context);
  const work = join(folder, 'packages');
  makeDirectory(work);
  const packages = await DebianSuite.fetch(mirror, suite, join(folder, 'apt'), context);
  const images = kernelParts(await packages.dependencies(NEWEST));
  const [image] = images;
  if (image === undefined)
    throw new TsengineError('NotFound', `Debian's ${suite} has no kernel ${NEWEST} on this machine's mirror`);
  const parts = [...images, ...kernelParts(await packages.dependencies(image))];
  await packages.download([...new Set(parts)], work);
  const tree = join(folder, 'tree');
  for (const name of listDirectory(work)) {
    await runProgram('dpkg-deb', ['-x', join(work, name), tree], {
      purpose: `cannot unpack ${name}`,
      signal: context.signal,
    });
  }
  removeTree(work);
  removeTree(join(folder, 'apt'));
  return findKernel(tree, image);
}

function findKernel(tree: string, name: string): UnpackedKernel {
  for (const modules of [join(tree, 'lib/modules'), join(tree, 'usr/lib/modules')]) {
    const [release] = listDirectory(modules);
    if (release === undefined) continue;
    const folder = join(modules, release);
    const inBoot = listDirectory(join(tree, 'boot')).find((file) => file.startsWith('vmlinuz-'));
    if (inBoot !== undefined) return { release, image: join(tree, 'boot', inBoot), modules: folder };
    if (listDirectory(folder).includes('vmlinuz'))
      return { release, image: join(folder, 'vmlinuz'), modules: folder };
  }
  throw new TsengineError('Corrupt', `the package ${name} holds no kernel where Debian puts it`);
}
