import type { DriverName } from '../../src/drivers/driver.ts';
import { conformance } from '../helpers/conformance.ts';
import { type FilesystemType, makeFilesystem } from '../helpers/loop.ts';
import { FULL } from '../helpers/scope.ts';
import { makeSubject } from '../helpers/stores.ts';

/** Drivers on filesystems that differ in what they can do, and btrfs on its own. */
const PAIRS: readonly (readonly [DriverName, FilesystemType])[] = [
  ['btrfs', 'btrfs'],
  ['aufs', 'ext4'],
  ['overlay2', 'ext4'],
];
/** Those of which only a full run has what takes seconds. */
const MORE: typeof PAIRS = [
  ...(FULL ? ([['aufs', 'xfs']] as const) : []),
  ['overlay2', 'xfs'],
  ['overlay2', 'btrfs'],
  ['overlay2', 'tmpfs'],
  ['vfs', 'xfs'],
  ['vfs', 'btrfs'],
  ['vfs', 'tmpfs'],
];

for (const [driver, type] of [...PAIRS, ...MORE]) {
  const selection = FULL || PAIRS.some((pair) => pair[0] === driver && pair[1] === type) ? 'quick' : 'brief';
  conformance(`${driver} on ${type}`, selection, async () => {
    const filesystem = makeFilesystem(type);
    const subject = await makeSubject(driver, filesystem.path);
    return {
      ...subject,
      [Symbol.asyncDispose]: async () => {
        await subject[Symbol.asyncDispose]();
        filesystem[Symbol.dispose]();
      },
    };
  });
}
