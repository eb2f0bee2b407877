import { readFileSync } from 'node:fs';
import { hasErrno } from '../../errors.ts';
import type { LayerRecords } from '../children.ts';
import type { Layout } from './layout.ts';

/** The files in `layers`, which begin with the parent. */
export function parentLists(layout: Layout): LayerRecords {
  return {
    folder: `${layout.home}/layers`,
    exists: (id) => layout.exists(id),
    mayHaveChildren: (id) => !layout.exists(`${id}-init`),
    nameOf: (id) => id,
    list: () => layout.list(),
    // Read with nothing around it: there may be ten thousand.
    parentOf: (id) => {
      try {
        return /^.+/m.exec(readFileSync(layout.record(id), 'latin1'))?.[0];
      } catch (error) {
        if (hasErrno(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
  };
}
