import * as z from 'zod/mini';
import { parseJson } from '../engine/json.ts';
import { TsengineError } from '../errors.ts';
import { once } from '../once.ts';

const schema = once(() =>
  z.object({
    version: z.literal(1),
    kind: z.enum(['kernel', 'root', 'packages', 'initramfs', 'modules']),
    label: z.string(),
    /** When, in ISO 8601. */
    made: z.string(),
    details: z.record(z.string(), z.string()),
  }),
);

/** What `entry.json` of an entry of the cache says. */
export type EntryRecord = z.infer<ReturnType<typeof schema>>;

/** Reads an `entry.json`; `undefined` for one of another version, whose entry then counts as not there. */
export function parseRecord(text: string): EntryRecord | undefined {
  try {
    return parseJson(text, schema(), 'entry.json');
  } catch (error) {
    if (error instanceof TsengineError) return undefined;
    throw error;
  }
}
