/** What a device holds before a pool is made on it: somebody's file system, a disk of LVM or ZFS, partitions. */
import { TsengineError } from '../../errors.ts';
import { readStart } from '../../linux/block-device.ts';
import { findCommand, runOrFail, shellWord } from '../../linux/command.ts';

/** How much of a device is looked at where nobody knows what it is: where LVM and all common filesystems have their marks. */
export const LOOKED_AT = 128 * 1024;

/** Whether there is nothing but zeros where a device's marks are. */
function isBlank(device: string): boolean {
  return readStart(device, LOOKED_AT).every((byte) => byte === 0);
}

/** Where the program is that knows all marks; `undefined` where there is none. */
export const wipefs = (): string | undefined => findCommand('wipefs');

/**
 * What wipefs finds on a device: `xfs`, `gpt and PMBR`…; `undefined` where that is nothing. Without wipefs all that is not zero
 * is something.
 */
export async function signatureOf(device: string, program = wipefs): Promise<string | undefined> {
  const path = program();
  if (path === undefined) return isBlank(device) ? undefined : 'data';
  // `0x438,UUID,LABEL,ext4`, with a line that begins with # before them.
  const lines = (await runOrFail(path, ['--parsable', device], 'devicemapper')).split('\n');
  const types = lines.filter((line) => /^0x/.test(line)).map((line) => line.split(',').at(-1) ?? '');
  return types.length === 0 ? undefined : [...new Set(types)].join(' and ');
}

/** The same, and `data` where wipefs finds nothing and there is something all the same. */
export async function contentOf(device: string, program = wipefs): Promise<string | undefined> {
  return (await signatureOf(device, program)) ?? (isBlank(device) ? undefined : 'data');
}

/** The error for a device that holds something. `isMetadata` says that its first block has to be zeros. */
export function holdsSomething(
  device: string,
  found: string,
  isMetadata: boolean,
  program = wipefs,
): TsengineError {
  const path = shellWord(device);
  const commands = [
    ...(program() === undefined ? [] : [`wipefs -a ${path}`]),
    ...(isMetadata ? [`dd if=/dev/zero of=${path} bs=4096 count=1`] : []),
  ];
  const erase = commands.length > 0 ? commands : [`dd if=/dev/zero of=${path} bs=${LOOKED_AT} count=1`];
  return new TsengineError(
    'Conflict',
    `devicemapper: ${device} holds ${found}, which a pool would overwrite: name another device, or, where nobody needs that, erase it (${erase.join(' && ')})`,
  );
}
