/** A store that is known to be slow, to see that the report finds it: bindfs over another, with a limit to what it reads and writes. */
import { mkdirSync } from 'node:fs';
import { unmountBelow } from '../../../src/lab/matrix/backings.ts';
import { runTool } from '../../../src/lab/matrix/tool.ts';
import { usedBytes } from './filesystem.ts';
import type { Store } from './store.ts';

/** Bytes a second. */
const [READ_RATE, WRITE_RATE] = ['60M', '30M'];

/** Shows what is in a store through bindfs at `path`. Disposing of it leaves the store beneath. */
export function slowedStore(store: Store, path: string): Store {
  mkdirSync(path, { recursive: true });
  const words = [`--read-rate=${READ_RATE}`, `--write-rate=${WRITE_RATE}`, '-o', 'allow_other,dev,suid'];
  runTool('bindfs', [...words, store.path, path], 'bindfs');
  return {
    ...store,
    path,
    mountOptions: `${store.mountOptions}; bindfs ${words.join(' ')}`,
    used: () => usedBytes(store.path),
    [Symbol.asyncDispose]: async () => unmountBelow(path),
  };
}
