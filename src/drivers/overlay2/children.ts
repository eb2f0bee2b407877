import { TsengineError } from '../../errors.ts';
import { listDirectory } from '../../linux/files.ts';
import type { LayerRecords } from '../children.ts';
import { isLayerId } from '../layer-id.ts';
import type { Layout } from './layout.ts';

/** The `lower` files, which call a parent by its short name. A layer that never had a child is not marked as committed. */
export function lowerFiles(layout: Layout): LayerRecords {
  return {
    folder: layout.home,
    exists: (id) => layout.exists(id),
    mayHaveChildren: (id) => layout.isCommitted(id),
    nameOf: (id) => layout.link(id),
    list: () => listDirectory(layout.home).filter(isLayerId),
    parentOf: (id) => {
      try {
        return layout.lowers(id)[0];
      } catch (error) {
        // A layer that a power cut has left without its record: nobody can use it, and it keeps nothing.
        if (error instanceof TsengineError && error.code === 'Corrupt') return undefined;
        throw error;
      }
    },
  };
}
