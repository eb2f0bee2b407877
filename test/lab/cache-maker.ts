/** A process of cache.test.ts that makes an entry, says so, and never gets ready. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabCache } from '../../src/lab/cache.ts';

const cache = new LabCache({ progress: () => undefined, signal: undefined }, process.argv[2]);
await cache.hold({
  kind: 'root',
  label: 'slow',
  madeOf: ['x'],
  make: async (folder) => {
    writeFileSync(join(folder, 'half'), 'half');
    process.stdout.write('making\n');
    await sleep(1_000_000);
    return {};
  },
});
