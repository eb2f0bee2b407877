/** Which runtime a run was started with, noted in its folder, so that its end needs neither settings nor files. */
import * as z from 'zod/mini';
import { readTextIfAny, writeNewFile } from '../../linux/files.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { RunDir } from './run-dir.ts';

const schema = z.object({ name: z.string(), path: z.string(), args: z.array(z.string()), root: z.string() });

/** Notes the runtime. Before it is called for the first time. */
export function noteRuntime(run: RunDir, runtime: OciRuntime): void {
  writeNewFile(run.runtime, JSON.stringify(runtime), { durable: false });
}

/** The runtime of the run; `undefined` when it was not called yet (or the note was cut off, which says the same). */
export function readRuntime(run: RunDir): OciRuntime | undefined {
  const text = readTextIfAny(run.runtime);
  if (text === undefined) return undefined;
  try {
    return z.parse(schema, JSON.parse(text));
  } catch {
    return undefined;
  }
}
