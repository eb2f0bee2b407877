/** Which entries of the cache nobody would ask for any more: of older code, of a kernel made anew since, of files that have changed. */
import { TsengineError } from '../errors.ts';
import type { EntryPlan, LabCache, ListedEntry } from './cache.ts';
import { packagesPlan } from './code-disk.ts';
import type { LabContext } from './context.ts';
import { initramfsPlan } from './initramfs.ts';
import { debianChoices, kernelPlan, suiteOfChoice } from './kernels.ts';
import { rootPlan } from './root-image.ts';
import type { KernelChoice, LabFeature } from './types.ts';
import { hasZfs, zfsPlan } from './zfs-modules.ts';

/** What of the features makes another root image. */
const WITHOUT_LVM: readonly (readonly LabFeature[])[] = [[], ['docker'], ['zfs'], ['docker', 'zfs']];
const ROOTS = WITHOUT_LVM.flatMap((features): (readonly LabFeature[])[] => [features, [...features, 'lvm']]);

/**
 * The names of the entries that this code makes for none of Debian's kernels, nor for a kernel of the user's that is still where
 * it was and as it was. Another version of tsengine on the same cache may want them: it makes them anew. Nothing is fetched.
 */
export function supersededEntries(cache: LabCache, context: LabContext): readonly string[] {
  const entries = cache.list();
  const wanted = new Set<string>();
  const want = (plan: EntryPlan): ListedEntry | undefined => {
    const name = cache.nameOf(plan);
    wanted.add(name);
    return entries.find((entry) => entry.name === name);
  };
  want(packagesPlan(context));
  for (const suite of [undefined, ...debianChoices.map(suiteOfChoice)])
    for (const features of ROOTS) want(rootPlan(features, cache, context, suite));
  for (const choice of [...debianChoices, ...entries.flatMap(ownChoice)]) {
    const plan = ifPossible(() => kernelPlan(choice, cache, context));
    const kernel = plan === undefined ? undefined : want(plan);
    if (kernel === undefined) continue;
    const initramfs = ifPossible(() => initramfsPlan(kernel));
    if (initramfs !== undefined) want(initramfs);
    const suite = suiteOfChoice(choice);
    if (suite !== undefined && !hasZfs(kernel)) want(zfsPlan(kernel, suite, cache, context));
  }
  return entries.map(({ name }) => name).filter((name) => !wanted.has(name));
}

/** What the user had named for an entry that is a kernel of theirs. */
function ownChoice({ record }: ListedEntry): readonly KernelChoice[] {
  const { source, modules, initrd } = record.details;
  if (record.kind !== 'kernel' || !record.label.startsWith('own-') || source === undefined) return [];
  return [
    {
      path: source,
      ...(modules === undefined ? {} : { modules }),
      ...(initrd === undefined ? {} : { initrd }),
    },
  ];
}

/** `undefined` for a kernel that is gone, or cannot work in a machine. */
function ifPossible(make: () => EntryPlan): EntryPlan | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof TsengineError && ['NotFound', 'InvalidParameter'].includes(error.code))
      return undefined;
    throw error;
  }
}
