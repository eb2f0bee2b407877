/** One call of a driver in a process of its own, for the checks that need another one. Loads little: there are many of them. */
import * as z from 'zod/mini';
import { runJob } from '../../drivers/conformance/job.ts';
import { DRIVER_NAMES, driverFactory } from '../../drivers/registry.ts';
import { once } from '../../once.ts';

/** What a process is told that does one job on the same data root. */
const requestSchema = once(() => {
  const id = z.string();
  const layerOptions = z.strictObject({ storageOptions: z.exactOptional(z.record(z.string(), z.string())) });
  return z.object({
    driver: z.enum(DRIVER_NAMES),
    home: z.string(),
    runHome: z.string(),
    options: z.array(z.tuple([z.string(), z.string()])),
    job: z.union([
      z.strictObject({
        call: z.enum(['create', 'createReadWrite']),
        id,
        parent: z.exactOptional(id),
        options: z.exactOptional(layerOptions),
      }),
      z.strictObject({ call: z.literal('applyDiff'), id, parent: z.exactOptional(id), tar: z.string() }),
      z.strictObject({ call: z.enum(['get', 'put', 'remove']), id }),
      z.strictObject({ call: z.enum(['changes', 'diff']), id, parent: id }),
      z.strictObject({ call: z.literal('cleanup') }),
    ]),
  });
});

/** Does the job that `request` holds, as JSON, and gives what it prints. */
export async function doJob(request: string): Promise<string> {
  const { driver: name, home, runHome, options, job } = requestSchema().parse(JSON.parse(request));
  const factory = await driverFactory(name);
  const driver = await factory.open({ home, runHome, options, warn: () => {} });
  return await runJob(driver, job);
}
