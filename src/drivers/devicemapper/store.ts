/** A thin pool on the loop files in the driver's home: what the driver makes by itself, of a size that was asked for. */

import { TsengineError } from '../../errors.ts';
import { pathExists } from '../../linux/files.ts';
import type { StoreMaker, StorePlace } from '../driver.ts';

async function opened({ home, runHome }: StorePlace, options: readonly (readonly [string, string])[]) {
  const { devicemapperFactory } = await import('./index.ts');
  return await devicemapperFactory.open({ home, runHome, options, warn: () => undefined });
}

/** See `StoreMaker`. The driver activates the pool itself when it is opened. */
export const devicemapperStore: StoreMaker = {
  async check() {
    const { devicemapperFactory } = await import('./index.ts');
    const support = await devicemapperFactory.probe({
      home: '/',
      runHome: '/',
      options: [],
      warn: () => undefined,
    });
    if (!support.supported) throw new TsengineError('Unavailable', support.reason);
  },

  async make(place) {
    await opened(place, [['dm.loopdatasize', `${place.size}`]]);
  },

  async isAttached() {
    return true;
  },

  async attach() {},

  async detach(place) {
    if (!pathExists(`${place.home}/devicemapper/data`)) return;
    await (await opened(place, [])).cleanup();
  },
};
