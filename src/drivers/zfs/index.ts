/** zfs, as the registry knows it. */
import { TsengineError } from '../../errors.ts';
import { holdsLayers } from '../data.ts';
import type { DriverFactory, Support } from '../driver.ts';
import { refusalOfReadOnly } from '../read-only.ts';
import { ZfsDriver } from './driver.ts';
import { locate } from './locate.ts';
import { readEngineOptions } from './options.ts';

/** See `DriverFactory`. */
export const zfsFactory: DriverFactory = {
  name: 'zfs',
  onlyOn: 'zfs',
  async probe(context): Promise<Support> {
    const { reason } = locate(context.home, readEngineOptions(context));
    return reason === undefined
      ? (refusalOfReadOnly(context.home) ?? { supported: true })
      : { supported: false, reason };
  },
  hasData: (home) => holdsLayers('zfs', home),
  stores: async () => (await import('./store.ts')).zfsStore,
  async open(context) {
    const { dataset, reason } = locate(context.home, readEngineOptions(context));
    if (dataset === undefined) throw new TsengineError('Unavailable', reason);
    if (context.readOnly === true) return (await import('./read-only.ts')).readOnlyZfs(context, dataset);
    const driver = new ZfsDriver(context, dataset);
    await driver.prepare();
    return driver;
  },
};
