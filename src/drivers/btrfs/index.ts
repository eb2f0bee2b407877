/** btrfs, as the registry knows it. */
import { TsengineError } from '../../errors.ts';
import { isOnBtrfs } from '../../linux/btrfs.ts';
import { fsName, statfs } from '../../linux/statfs.ts';
import { holdsLayers } from '../data.ts';
import type { DriverContext, DriverFactory, Support } from '../driver.ts';
import { existingFolder, onlyReading, openedToWrite, refusalOfReadOnly } from '../read-only.ts';
import { BtrfsDriver } from './driver.ts';
import { readEngineOptions } from './options.ts';

function refusal({ home }: DriverContext): string | undefined {
  const folder = existingFolder(home);
  if (isOnBtrfs(folder)) return undefined;
  const found = fsName(statfs(folder).magic);
  return `btrfs keeps layers as subvolumes, and ${folder} is on ${found}: put the data root on a btrfs file system`;
}

/** See `DriverFactory`. */
export const btrfsFactory: DriverFactory = {
  name: 'btrfs',
  onlyOn: 'btrfs',
  async probe(context): Promise<Support> {
    readEngineOptions(context);
    const reason = refusal(context);
    return reason === undefined
      ? (refusalOfReadOnly(context.home) ?? { supported: true })
      : { supported: false, reason };
  },
  hasData: (home) => holdsLayers('btrfs', home),
  stores: async () => (await import('./store.ts')).btrfsStore,
  async open(context) {
    const options = readEngineOptions(context);
    const reason = refusal(context);
    if (reason !== undefined) throw new TsengineError('Unavailable', reason);
    const driver = new BtrfsDriver(context, options);
    if (context.readOnly === true) return onlyReading(driver, context.home);
    return await openedToWrite(driver, context.home);
  },
};
