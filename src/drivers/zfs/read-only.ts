/**
 * zfs for somebody who only looks (`DriverContext.readOnly`): layers are views, which nothing is written through, and which are
 * gone when whoever has one closes it.
 */
import type { DriverContext, GraphDriver, MountedLayer } from '../driver.ts';
import { checkLayerId } from '../layer-id.ts';
import { onlyReading } from '../read-only.ts';
import { openView } from '../view.ts';
import { Datasets } from './datasets.ts';
import { ZfsDriver } from './driver.ts';

class ReadOnlyZfs extends ZfsDriver {
  override async get(id: string): Promise<MountedLayer> {
    checkLayerId(id);
    return await openView(this.context.runHome, (target) => this.mountToRead(id, target));
  }

  /** A guide takes snapshots. */
  protected override guided(): undefined {}

  override async put(id: string): Promise<void> {
    checkLayerId(id);
  }
}

/** Opens the driver for reading. */
export function readOnlyZfs(context: DriverContext, fsName: string): GraphDriver {
  return onlyReading(new ReadOnlyZfs(context, new Datasets(fsName)), context.home);
}
