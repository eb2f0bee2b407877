/**
 * Which datasets are a data root's own. Docker keeps layers as `<fsname>/<id>`, and so do we; but two data roots, Docker's and
 * ours say, may be on one dataset (that of `/` on many a machine), and then the layers of both lie beside each other. So
 * each of ours carries, as a property, the number of its store, which is drawn once and kept in the store's home.
 */
import * as z from 'zod/mini';
import { TsengineError } from '../../errors.ts';
import { pathExists, readTextIfAny, writeFileAtomic } from '../../linux/files.ts';
import { lockFile } from '../../linux/flock.ts';
import { randomBytes } from '../../linux/random.ts';
import { schemaMessage } from '../../schema-message.ts';

/** The property's name, as zfs(8) wants those of users. */
export const MARK_PROPERTY = 'tsengine:store';
const FILE = 'tsengine.json';

const schema = z.object({
  version: z.literal(1),
  /** What is in the property. */
  store: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
  /** Whether layers without a mark are this store's as well: it was Docker's before. */
  unmarked: z.boolean(),
});

/** What the file says. */
export type StoreMark = z.infer<typeof schema>;

/** Reads the mark of the store in `home`; `undefined` while it has none. Fails with `Corrupt`. */
export function readMark(home: string): StoreMark | undefined {
  const path = `${home}/${FILE}`;
  const text = readTextIfAny(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TsengineError('Corrupt', `${path}: ${schemaMessage(parsed.error)}: put it back from a backup`);
}

/** Reads the mark, or makes one. `graph` is the folder that Docker makes with the first layer it mounts. */
export async function markOf(home: string, graph: string, lock: string): Promise<StoreMark> {
  const found = readMark(home);
  if (found !== undefined) return found;
  using _ = await lockFile(lock, 'exclusive', { ephemeral: true });
  const meanwhile = readMark(home);
  if (meanwhile !== undefined) return meanwhile;
  const made: StoreMark = {
    version: 1,
    store: randomBytes(8).toString('hex'),
    unmarked: pathExists(graph),
  };
  writeFileAtomic(`${home}/${FILE}`, JSON.stringify(made), { mode: 0o644, alone: true });
  return made;
}
