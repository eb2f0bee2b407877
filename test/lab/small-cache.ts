/** A cache of the lab's whose kernel, root image and disks are names and lists only: with a program in QEMU's place, all else of `lab run` is real. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type EntryPlan, type HeldEntry, LabCache } from '../../src/lab/cache.ts';
import { packagesPlan } from '../../src/lab/code-disk.ts';
import { neededModules } from '../../src/lab/guest-init.ts';
import { kernelPlan } from '../../src/lab/kernels.ts';
import { rootPlan } from '../../src/lab/root-image.ts';
import { zfsPlan } from '../../src/lab/zfs-modules.ts';

const RELEASE = '6.1.0-50';

/** The modules.dep of its kernel, debian:6.1. */
export const DEP = [
  'kernel/fs/overlayfs/overlay.ko:',
  'kernel/fs/jbd2/jbd2.ko:',
  'kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko',
].join('\n');

/** Its modules.builtin. */
export const BUILT_IN = ['kernel/fs/fuse/fuse.ko', ...neededModules.filter((name) => name !== 'ext4')].join(
  '\n',
);

/** A folder, with the cache in it. Disposing removes both. */
export interface SmallCache extends Disposable {
  readonly folder: string;
  /** For the lab: this cache, software emulation, and this program for QEMU. */
  environment(qemu: string): Readonly<Record<string, string>>;
}

/** Makes the entries for 6.1, with and without zfs. */
export async function smallCache(): Promise<SmallCache> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-small-'));
  const context = { progress: () => undefined, signal: undefined };
  const cache = new LabCache(context, join(folder, 'cache'));
  const hold = async (plan: EntryPlan, files: Readonly<Record<string, string>> = {}): Promise<HeldEntry> => {
    const make = async (made: string): Promise<Record<string, string>> => {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(made, name)), { recursive: true });
        writeFileSync(join(made, name), text);
      }
      return { release: RELEASE };
    };
    using entry = await cache.hold({ ...plan, make });
    return entry;
  };
  const modules = `lib/modules/${RELEASE}`;
  const kernel = await hold(kernelPlan('debian:6.1', cache, context), {
    [`${modules}/modules.dep`]: DEP,
    [`${modules}/modules.builtin`]: BUILT_IN,
    [`${modules}/kernel/fs/ext4/ext4.ko`]: '',
    [`${modules}/kernel/fs/jbd2/jbd2.ko`]: '',
  });
  await hold(packagesPlan(context));
  for (const features of [[], ['zfs' as const]]) await hold(rootPlan(features, cache, context, 'bookworm'));
  await hold(zfsPlan(kernel, 'bookworm', cache, context));
  return {
    folder,
    environment: (qemu) => ({
      TSENGINE_LAB_QEMU: qemu,
      TSENGINE_LAB_CACHE: cache.folder,
      TSENGINE_LAB_ACCELERATOR: 'tcg',
    }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
