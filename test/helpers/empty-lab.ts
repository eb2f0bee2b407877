/** A lab without a cache and without QEMU, for tests that start no machine. */
import { rmSync, writeFileSync } from 'node:fs';
import { after } from 'node:test';

/**
 * Until the suite that calls it ends the lab's cache is the folder `cache`, and what is asked of QEMU, its version, a script
 * answers. `folder`, which is there and holds both, is removed then.
 */
export function useEmptyLab(folder: string, cache: string): void {
  const before = { ...process.env };
  writeFileSync(`${folder}/qemu`, '#!/bin/sh\necho QEMU emulator version 0\n', { mode: 0o755 });
  Object.assign(process.env, { TSENGINE_LAB_CACHE: cache, TSENGINE_LAB_QEMU: `${folder}/qemu` });
  after(() => {
    for (const name of ['TSENGINE_LAB_CACHE', 'TSENGINE_LAB_QEMU']) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
    rmSync(folder, { recursive: true });
  });
}
