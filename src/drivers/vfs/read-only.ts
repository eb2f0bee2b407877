import { fsName, statfs } from '../../linux/statfs.ts';
import type { Applied, DriverContext, GraphDriver, StatusRow } from '../driver.ts';
import { existingFolder, onlyRead } from '../read-only.ts';
import { VfsDriver } from './index.ts';

/** vfs for somebody who only looks (`DriverContext.readOnly`): layers are whole trees, read where they are. */
class ReadOnlyVfs extends VfsDriver {
  readonly #home: string;

  constructor(context: DriverContext) {
    super(context);
    this.#home = context.home;
  }

  override async status(): Promise<readonly StatusRow[]> {
    return [['Backing Filesystem', fsName(statfs(existingFolder(this.#home)).magic)]];
  }

  override async create(): Promise<void> {
    throw onlyRead(this.name);
  }

  override async createReadWrite(): Promise<void> {
    throw onlyRead(this.name);
  }

  override async applyDiff(): Promise<Applied> {
    throw onlyRead(this.name);
  }

  override async remove(): Promise<void> {
    throw onlyRead(this.name);
  }

  override async cleanup(): Promise<void> {}
}

/** Opens the driver for reading. Looks at nothing yet. */
export function readOnlyVfs(context: DriverContext): GraphDriver {
  return new ReadOnlyVfs(context);
}
