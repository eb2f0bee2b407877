/** zfs, as the registry knows it. */
import { TsengineError } from '../../errors.ts';
import { suspendedPoolOf } from '../../linux/suspended-pool.ts';
import { holdsLayers } from '../data.ts';
import type { DriverFactory, Support } from '../driver.ts';
import { openedToWrite, refusalOfReadOnly } from '../read-only.ts';
import { Datasets } from './datasets.ts';
import { kernelTitle, ZfsDriver } from './driver.ts';
import { FUSE_TITLE } from './fuse-daemon.ts';
import { locate } from './locate.ts';
import { readEngineOptions } from './options.ts';

/** See `DriverFactory`. */
export const zfsFactory: DriverFactory = {
  name: 'zfs',
  onlyOn: 'zfs',
  async probe(context): Promise<Support> {
    const { reason, ...found } = await locate(context.home, readEngineOptions(context));
    if (reason !== undefined) return { supported: false, reason };
    const isFuse = 'by' in found && found.by === 'zfs-fuse';
    const served: Support = isFuse
      ? { supported: true, notes: [FUSE_TITLE] }
      : { supported: true, by: kernelTitle() };
    return refusalOfReadOnly(context.home) ?? served;
  },
  // Whoever looks into a pool that is suspended may wait for ever.
  hasData: (home) => suspendedPoolOf(home) !== undefined || holdsLayers('zfs', home),
  stores: async () => (await import('./store.ts')).zfsStore,
  async open(context) {
    const located = await locate(context.home, readEngineOptions(context));
    if (located.dataset === undefined) throw new TsengineError('Unavailable', located.reason);
    const { dataset, by } = located;
    if (context.readOnly === true) {
      if (by === 'zfs-fuse') {
        throw new TsengineError(
          'Unavailable',
          'zfs: zfs-fuse cannot mount a layer without writing to its pool: open the data root without --read-only-root, or with the module of OpenZFS',
        );
      }
      return (await import('./read-only.ts')).readOnlyZfs(context, dataset);
    }
    const driver =
      by === 'zfs-fuse'
        ? new (await import('./fuse-driver.ts')).FuseZfsDriver(context, dataset)
        : new ZfsDriver(context, new Datasets(dataset));
    return await openedToWrite(driver, context.home);
  },
};
