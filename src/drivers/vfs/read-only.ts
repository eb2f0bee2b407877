import type { DriverContext, GraphDriver } from '../driver.ts';
import { onlyReading } from '../read-only.ts';
import { VfsDriver } from './index.ts';

/** Opens vfs for reading: layers are whole trees, read where they are. Looks at nothing yet. */
export function readOnlyVfs(context: DriverContext): GraphDriver {
  return onlyReading(new VfsDriver(context), context.home);
}
