import { test } from 'node:test';
import type { DriverName } from '../../src/drivers/driver.ts';
import { conformance, type Selection } from '../helpers/conformance.ts';
import { type FilesystemType, makeFilesystem } from '../helpers/loop.ts';
import { FULL } from '../helpers/scope.ts';
import { makeSubject } from '../helpers/stores.ts';

/** Drivers on filesystems that differ in what they can do, and btrfs on its own. */
const PAIRS: readonly (readonly [DriverName, FilesystemType])[] = [
  ['btrfs', 'btrfs'],
  ['aufs', 'ext4'],
];
/** Those of which only a full run has what takes seconds. */
const MORE: typeof PAIRS = [
  ['overlay2', 'xfs'],
  ['overlay2', 'tmpfs'],
  ['vfs', 'btrfs'],
];
/** Those of a full run. */
const OTHERS: typeof PAIRS = [
  ['aufs', 'xfs'],
  ['overlay2', 'ext4'],
  ['overlay2', 'btrfs'],
  ['vfs', 'xfs'],
  ['vfs', 'tmpfs'],
];

if (!FULL)
  test('other pairs of drivers and filesystems', {
    skip: `npm run test:full: ${OTHERS.map((pair) => pair.join(' on ')).join(', ')}`,
  });

/** What takes long: overlay2, vfs and aufs have it on this filesystem (conformance.slow.test.ts), btrfs wants its own. */
const SLOW: typeof PAIRS = FULL ? [['btrfs', 'btrfs']] : [];

function tryPair(driver: DriverName, type: FilesystemType, selection: Selection): void {
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

for (const [driver, type] of PAIRS) tryPair(driver, type, 'quick');
for (const [driver, type] of MORE) tryPair(driver, type, FULL ? 'quick' : 'brief');
for (const [driver, type] of FULL ? OTHERS : []) tryPair(driver, type, 'quick');
for (const [driver, type] of SLOW) tryPair(driver, type, 'slow');
