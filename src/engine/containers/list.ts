import { hasErrno, TsengineError } from '../../errors.ts';
import { listDirectory } from '../../linux/files.ts';
import type { ContainerSummary, Filters, ListContainers } from '../api/services.ts';
import type { KeptFacts } from '../kept-facts.ts';
import { isSettled } from '../runtime/run-dir.ts';
import { commandText, stateName, statusText } from '../text/status.ts';
import { now } from '../text/timestamp.ts';
import { unreadable } from './container-folders.ts';
import type { ContainerRow } from './container-row.ts';
import { type ListContext, runOf } from './context.ts';
import { namedRow, rowFilter } from './list-filters.ts';

/** What Docker shows of a container's part in a network that it is not connected to. */
function endpoint(NetworkID: string) {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    NetworkID,
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    MacAddress: '',
    DriverOpts: null,
  };
}

/** Containers that have a run folder: they run, or somebody has to look after them. */
function idsWithRun(context: ListContext): Set<string> {
  return new Set(listDirectory(`${context.root.execRoot}/containers`));
}

/** Reads rows; one that cannot be read is left out with a warning. */
function readRow(context: ListContext, id: string, kept?: KeptFacts<ContainerRow>): ContainerRow | undefined {
  try {
    return context.store.row(id, kept);
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    context.warn(unreadable(id, error));
    return undefined;
  }
}

/** Records an end that nobody recorded, and reads the row again. Where nothing may be written it is only told. */
async function settledRow(context: ListContext, row: ContainerRow): Promise<ContainerRow | undefined> {
  if (context.root.readOnly) return await seenRow(context, row);
  try {
    // Somebody who holds the lock starts, ends or removes it this moment: what is on record is as good as any.
    const lock = context.store.tryLock(row.id);
    if (lock === undefined) return row;
    lock.release();
    await context.recordEnd(row.id);
  } catch (error) {
    // A list must be had on a disk that is full or broken: it says what could not be written down.
    const isReadOnly = error instanceof TsengineError && hasErrno(error.cause, 'EROFS');
    if (isReadOnly || hasErrno(error, 'ENOSPC', 'EDQUOT', 'EIO', 'EROFS')) return await seenRow(context, row);
    if (!(error instanceof TsengineError)) throw error;
    context.warn(error.message);
  }
  const read = readRow(context, row.id);
  // Where the end could not be written down the record still says that it runs.
  return read?.state.Running === true ? await seenRow(context, read) : read;
}

/** The row with the state that the next command that can write would record. */
async function seenRow(context: ListContext, row: ContainerRow): Promise<ContainerRow> {
  const { seenState } = await import('./seen-state.ts');
  return { ...row, state: seenState(context, row.id, row.state) };
}

/** All containers, newest first. */
export async function containerRows(context: ListContext): Promise<ContainerRow[]> {
  const withRun = idsWithRun(context);
  const rows: ContainerRow[] = [];
  const kept = context.store.keptRows();
  for (const id of context.store.ids()) {
    let row = readRow(context, id, kept);
    if (row === undefined) continue;
    const { Running } = row.state;
    if ((Running || withRun.has(id)) && !isSettled(runOf(context, id), Running))
      row = await settledRow(context, row);
    if (row !== undefined) rows.push(row);
  }
  kept.save();
  return rows.sort(
    (a, b) => b.created - a.created || b.createdFraction - a.createdFraction || (a.id < b.id ? -1 : 1),
  );
}

/** The image a container is shown with: its reference while that still means the same, else the id. */
function imageNames(context: ListContext): (row: ContainerRow) => string {
  const current = new Map<string, string | undefined>();
  const find = context.images.finder();
  const idOf = (name: string): string | undefined => {
    if (!current.has(name)) current.set(name, find(name));
    return current.get(name);
  };
  return ({ image, imageId }) => (image === imageId || idOf(image) === imageId ? image : imageId);
}

/** The ids of the images that the `ancestor` filter names, with all that were made from them. */
function ancestorIds(context: ListContext, filters: Filters, rows: readonly ContainerRow[]): Set<string> {
  const wanted = new Set<string>();
  for (const name of filters.get('ancestor') ?? []) {
    try {
      wanted.add(context.images.resolve(name).id);
    } catch {
      // Docker looks over a name that means no image.
    }
  }
  if (wanted.size === 0) return wanted;
  const descends = (id: string): boolean => {
    for (let at: string | undefined = id; at !== undefined && at !== ''; at = context.imageParent?.(at)) {
      if (wanted.has(at)) return true;
    }
    return false;
  };
  return new Set(rows.map((row) => row.imageId).filter(descends));
}

/** The rows that a list shows, in its order. Throws `InvalidParameter` in Docker's words for bad filters. */
function selectRows(context: ListContext, rows: ContainerRow[], options: ListContainers): ContainerRow[] {
  const filters = options.filters ?? new Map();
  const passes = rowFilter(
    filters,
    rows.map((row) => row.id),
    ancestorIds(context, filters, rows),
  );
  const before = namedRow(rows, filters, 'before');
  const since = namedRow(rows, filters, 'since');
  const limit = options.latest === true ? 1 : (options.last ?? 0);
  const all = options.all === true || filters.has('status') || limit > 0;
  const from = before === undefined ? 0 : rows.indexOf(before) + 1;
  const to = since === undefined ? rows.length : rows.indexOf(since);
  const chosen = rows
    .slice(from, Math.max(to, from))
    .filter((row) => (all || row.state.Running) && passes(row));
  return limit > 0 ? chosen.slice(0, limit) : chosen;
}

function mounts(row: ContainerRow): Readonly<Record<string, unknown>>[] {
  return row.mounts.map((mount) => ({
    Type: mount.type,
    ...(mount.name === '' ? {} : { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver === '' ? {} : { Driver: mount.driver }),
    Mode: mount.mode,
    RW: mount.rw,
    Propagation: mount.propagation,
  }));
}

/** `ps`: see `ContainerService.list`. A container that cannot be read is left out with a warning. */
export async function listContainers(
  context: ListContext,
  options: ListContainers = {},
): Promise<ContainerSummary[]> {
  await context.recover();
  const rows = selectRows(context, await containerRows(context), options);
  const shownImage = imageNames(context);
  const at = now();
  const summaries = rows.map(
    (row): ContainerSummary => ({
      Id: row.id,
      Names: [`/${row.name}`],
      Image: shownImage(row),
      ImageID: row.imageId,
      Command: commandText(row.path, row.args),
      Created: row.created,
      Ports: [],
      Labels: row.labels,
      State: stateName(row.state),
      Status: statusText(row.state, at),
      HostConfig: { NetworkMode: row.networkMode },
      NetworkSettings: {
        Networks: Object.fromEntries(Object.entries(row.networks).map(([name, id]) => [name, endpoint(id)])),
      },
      Mounts: mounts(row),
    }),
  );
  return options.size === true ? await withSizes(context, summaries) : summaries;
}

/** Bytes that a container added, and of its image with them. */
export async function containerSizes(
  context: Pick<ListContext, 'layers'>,
  id: string,
): Promise<{ readonly SizeRw: number; readonly SizeRootFs: number }> {
  const SizeRw = await context.layers.containerSize(id);
  let below = 0;
  for (
    let at = context.layers.containerLayer(id)?.parent;
    at !== undefined;
    at = context.layers.get(at)?.parent
  ) {
    below += context.layers.size(at);
  }
  return { SizeRw, SizeRootFs: SizeRw + below };
}

async function withSizes(context: ListContext, summaries: ContainerSummary[]): Promise<ContainerSummary[]> {
  const out: ContainerSummary[] = [];
  for (const summary of summaries) {
    // Docker leaves a size of zero out.
    const { SizeRw, SizeRootFs } = await containerSizes(context, summary.Id);
    out.push({ ...summary, ...(SizeRw === 0 ? {} : { SizeRw }), SizeRootFs });
  }
  return out;
}
