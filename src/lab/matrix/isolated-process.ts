/** The inside of `isolated.ts`: one cell or one filesystem's features, told on standard output. */
import * as z from 'zod/mini';
import { DRIVER_NAMES } from '../../drivers/registry.ts';
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

/** Does what the request, as JSON, asks for; must have a mount namespace and a pid namespace of its own. */
export async function runIsolated(text: string, write: (text: string) => void): Promise<void> {
  const request: IsolatedRequest = requestSchema().parse(JSON.parse(text));
  if ('cell' in request) {
    const { cell, work, slow } = request;
    const log = (line: string): void => write(`${line}\n`);
    write(eventLine({ event: 'cell', cell: await runCell(cell, { work, slow, log }) }));
  } else {
    const { features: backing, work } = request;
    const features = await probeFeatures(backing, work, {
      tries: (name) => write(eventLine({ event: 'tries', backing, name })),
      tried: (feature) => write(eventLine({ event: 'tried', feature })),
    });
    write(eventLine({ event: 'features', backing, features }));
  }
}
