/** The rows of `info`, as Docker's. */

import { pathExists } from '../../linux/files.ts';
import { statfs } from '../../linux/statfs.ts';
import { isUdevRunning } from '../../linux/udev-cookie.ts';
import type { StatusRow } from '../driver.ts';
import { nodeOfNumber } from './block-part.ts';
import type { DeviceSet } from './device-set.ts';
import { BASE } from './metadata.ts';
import type { DevicemapperOptions } from './options.ts';
import { METADATA_BLOCK } from './pool-format.ts';

/** A size with four digits, as Docker writes it. */
function human(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${Number(value.toPrecision(4))}${units[unit] ?? ''}`;
}

/** Asks the pool. Fails where it is not there, or has failed. */
export function statusRows(set: DeviceSet, options: DevicemapperOptions): readonly StatusRow[] {
  const { pool, metadata } = set;
  const status = pool.status();
  const devices = pool.devices();
  const { files } = pool;
  const block = devices.blockBytes;
  const room = (file: string | undefined, free: number): number =>
    file === undefined || !pathExists(file) ? free : Math.min(free, statfs(file).available);
  const space = (
    name: string,
    used: number,
    total: number,
    size: number,
    file: string | undefined,
  ): StatusRow[] => [
    [`${name} Space Used`, human(used * size)],
    [`${name} Space Total`, human(total * size)],
    [`${name} Space Available`, human(room(file, (total - used) * size))],
  ];
  return [
    ['Pool Name', pool.name],
    ['Pool Blocksize', human(block)],
    ['Base Device Size', human(set.find(BASE)?.size ?? 0)],
    ['Backing Filesystem', metadata.deviceSet().BaseDeviceFilesystem],
    ['Udev Sync Supported', String(isUdevRunning())],
    ['Data file', nodeOfNumber(devices.data)],
    ['Metadata file', nodeOfNumber(devices.metadata)],
    ...(files.data === undefined ? [] : [['Data loop file', files.data] as const]),
    ...(files.metadata === undefined ? [] : [['Metadata loop file', files.metadata] as const]),
    ...space('Data', status.dataUsed, status.dataTotal, block, files.data),
    ...space('Metadata', status.metadataUsed, status.metadataTotal, METADATA_BLOCK, files.metadata),
    [
      'Thin Pool Minimum Free Space',
      human(Math.floor((status.dataTotal * options.minFreePercent) / 100) * block),
    ],
    ['Deferred Removal Enabled', String(options.defersRemoval)],
    ['Deferred Deletion Enabled', String(options.defersDeletion)],
    ['Deferred Deleted Device Count', String(set.deletedLater().length)],
  ];
}
