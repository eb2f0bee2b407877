/** The inside of `isolated.ts`: one cell or one filesystem's features, told on standard output. */
import * as z from 'zod/mini';
import { DRIVER_NAMES } from '../../drivers/registry.ts';
import { errorMessage, TsengineError } from '../../errors.ts';
import { makeDirectories } from '../../linux/files.ts';
import { MS_BIND, mount } from '../../linux/mount.ts';
import { once } from '../../once.ts';
import { runCell } from './cell-run.ts';
import { eventLine } from './events.ts';
import { probeFeatures } from './features.ts';
import type { IsolatedRequest } from './isolated.ts';
import { BACKINGS } from './schema.ts';

const requestSchema = once(() => {
  const backing = z.enum(BACKINGS);
  return z.union([
    z.object({
      cell: z.object({ driver: z.enum(DRIVER_NAMES), backing }),
      work: z.string(),
      slow: z.boolean(),
    }),
    z.object({ features: z.nullable(backing), work: z.string() }),
  ]);
});

/**
 * Where the folder of a cell is for all that happens in it. Drivers, overlayfs, exportfs and xfs_quota take paths apart at blanks, colons and
 * commas, and `--out` may have any of them. Each process mounts its own folder there, in its own namespace: for everybody
 * else it is an empty directory, which stays.
 */
const MOUNT_POINT = '/run/tsengine-cell';

/** Shows the folder at `MOUNT_POINT` until this process ends. */
function mountWork(folder: string): { readonly work: string; readonly images: string } {
  try {
    makeDirectories(MOUNT_POINT);
    mount({ source: folder, target: MOUNT_POINT, flags: MS_BIND });
  } catch (error) {
    throw new TsengineError('System', `cannot mount at ${MOUNT_POINT}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  // Images under their own names: what is left of a process that is killed is found by them.
  return { work: MOUNT_POINT, images: folder };
}

/** Does what the request, as JSON, asks for; must have a mount namespace and a pid namespace of its own. */
export async function runIsolated(text: string, write: (text: string) => void): Promise<void> {
  const request: IsolatedRequest = requestSchema().parse(JSON.parse(text));
  const folders = mountWork(request.work);
  if ('cell' in request) {
    const { cell, slow } = request;
    const log = (line: string): void => write(`${line}\n`);
    write(eventLine({ event: 'cell', cell: await runCell(cell, { ...folders, slow, log }) }));
  } else {
    const { features: backing } = request;
    const features = await probeFeatures(backing, folders, {
      tries: (name) => write(eventLine({ event: 'tries', backing, name })),
      tried: (feature) => write(eventLine({ event: 'tried', feature })),
    });
    write(eventLine({ event: 'features', backing, features }));
  }
}
