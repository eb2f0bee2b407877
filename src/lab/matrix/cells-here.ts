/** Cells on the kernel that this process stands on: this machine's own, or that of the virtual machine it is in. */
import { machine, release, version } from 'node:os';
import * as z from 'zod/mini';
import { DRIVER_NAMES } from '../../drivers/registry.ts';
import { TsengineError } from '../../errors.ts';
import { makeDirectories } from '../../linux/files.ts';
import { once } from '../../once.ts';
import type { MatrixEvent } from './events.ts';
import { type IsolatedOptions, isolatedCell, isolatedFeatures } from './isolated.ts';
import { pooled } from './pool.ts';
import { BACKINGS } from './schema.ts';
import { Slots } from './slots.ts';

const requestSchema = once(() =>
  z.object({
    cells: z.array(z.object({ driver: z.enum(DRIVER_NAMES), backing: z.enum(BACKINGS) })),
    features: z.array(z.nullable(z.enum(BACKINGS))),
    folder: z.string(),
    slow: z.boolean(),
    limitMs: z.number(),
    parallel: z.number(),
  }),
);

/** What is to be run. */
export type CellsRequest = z.infer<ReturnType<typeof requestSchema>>;

/** A request that came as JSON. */
export function parseCellsRequest(text: string): CellsRequest {
  return requestSchema().parse(JSON.parse(text));
}

/** Cells mount filesystems. Fails with `Forbidden` when this process may not. */
export function mustBeRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new TsengineError(
    'Forbidden',
    "the matrix mounts filesystems on this machine's kernel, which takes root: run it with sudo",
  );
}

/** What there is beside the request. */
export interface CellsSurroundings {
  readonly signal?: AbortSignal | undefined;
  /** Each cell takes a place of these. */
  readonly jobs?: Slots;
  /** Takes a line about what a cell leaves behind. */
  readonly warn: (line: string) => void;
}

/** Runs the cells and tries the features; tells everything as it comes. Fails when it is not run as root. */
export async function runCellsHere(
  request: CellsRequest,
  emit: (event: MatrixEvent) => void,
  { signal, jobs = new Slots(request.parallel), warn }: CellsSurroundings,
): Promise<void> {
  mustBeRoot();
  const { cells, features, folder, slow, limitMs, parallel } = request;
  makeDirectories(folder);
  emit({ event: 'kernel', release: release(), build: version(), machine: machine() });
  const options: IsolatedOptions = { folder, slow, limitMs, signal, warn };
  const each = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> =>
    await pooled(items, parallel, (item) =>
      jobs.run(async () => {
        signal?.throwIfAborted();
        await work(item);
      }),
    );
  await each(features, async (backing) => {
    emit({ event: 'tries', backing, name: null });
    const features = await isolatedFeatures(backing, options, emit);
    emit({ event: 'features', backing, features: [...features] });
  });
  await each(cells, async (cell) => {
    emit({ event: 'begins', ...cell });
    emit({ event: 'cell', cell: await isolatedCell(cell, options) });
  });
  emit({ event: 'end' });
}
