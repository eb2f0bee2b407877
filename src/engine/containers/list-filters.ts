/** The filters of `ps`, on the engine's side, with Docker's rules. */
import { TsengineError } from '../../errors.ts';
import type { Filters } from '../api/services.ts';
import {
  booleanFilter,
  checkFilters,
  checkFilterValues,
  matchContainerName,
  matchExact,
  matchLabels,
} from '../text/filters.ts';
import { STATES, stateName } from '../text/status.ts';
import { isZeroTime } from '../text/timestamp.ts';
import type { ContainerRow } from './container-row.ts';
import { matchIdPrefix } from './names.ts';

const ACCEPTED = [
  ...['ancestor', 'before', 'exited', 'expose', 'health', 'id', 'isolation', 'is-task', 'label', 'name'],
  ...['network', 'publish', 'since', 'status', 'volume'],
];

const HEALTH = ['starting', 'healthy', 'unhealthy', 'none'];

/** What a filter asks of one container. */
export type RowFilter = (row: ContainerRow) => boolean;

function exitCodes(filters: Filters): number[] | undefined {
  return filters.get('exited')?.map((text) => {
    if (/^[+-]?\d+$/.test(text)) return Number(text);
    const message = `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new TsengineError('InvalidParameter', message);
  });
}

function hasEnded(row: ContainerRow, codes: readonly number[]): boolean {
  const { Running, StartedAt, ExitCode } = row.state;
  return !Running && !isZeroTime(StartedAt) && codes.includes(ExitCode);
}

function hasVolume(row: ContainerRow, wanted: readonly string[]): boolean {
  return row.mounts.some(
    (mount) =>
      wanted.includes(mount.destination) || wanted.includes(mount.name === '' ? mount.source : mount.name),
  );
}

/** A network is meant by its name or by the beginning of its id. */
function isOnNetwork(row: ContainerRow, wanted: readonly string[]): boolean {
  return Object.entries(row.networks).some(([name, id]) =>
    wanted.some((value) => value === name || id.startsWith(value)),
  );
}

/** The health that Docker's lists go by: a container without checks has `none`. */
function health(row: ContainerRow): string {
  const status = row.state.Health?.Status ?? '';
  return status === '' ? 'none' : status;
}

function checkHealth(filters: Filters): void {
  const bad = filters.get('health')?.find((value) => !HEALTH.includes(value));
  if (bad === undefined) return;
  throw new TsengineError('InvalidParameter', `Unrecognised filter value for health: ${bad}`);
}

/** Ports are not published, and those exposed are not in the list, before there are networks. */
function refusePorts(filters: Filters): RowFilter {
  const none = !filters.has('publish') && !filters.has('expose');
  return () => none;
}

/**
 * The test for one container that the filters come to, those apart that need the whole list. `ancestors` are the ids of
 * images that the `ancestor` filter means. Throws `InvalidParameter` in Docker's words.
 */
export function rowFilter(
  filters: Filters,
  ids: readonly string[],
  ancestors: ReadonlySet<string>,
): RowFilter {
  checkFilters(filters, ACCEPTED);
  checkFilterValues(filters, 'status', STATES);
  checkHealth(filters);
  const codes = exitCodes(filters);
  const wantedIds = filters.get('id')?.map((prefix) => matchIdPrefix(ids, prefix));
  const found = wantedIds?.flatMap((match) => (match.kind === 'found' ? [match.id] : []));
  const task = filters.has('is-task') ? booleanFilter(filters, 'is-task', false) : undefined;
  const volumes = filters.get('volume');
  const networks = filters.get('network');
  const tests: RowFilter[] = [
    (row) => found?.includes(row.id) ?? true,
    (row) => matchContainerName(filters, row.name),
    (row) => task === undefined || task === row.managed,
    (row) => matchLabels(filters, 'label', row.labels),
    (row) => codes === undefined || hasEnded(row, codes),
    (row) => matchExact(filters, 'status', stateName(row.state)),
    (row) => matchExact(filters, 'health', health(row)),
    (row) => volumes === undefined || hasVolume(row, volumes),
    (row) => networks === undefined || isOnNetwork(row, networks),
    (row) => !filters.has('ancestor') || ancestors.has(row.imageId),
    refusePorts(filters),
  ];
  return (row) => tests.every((test) => test(row));
}

/** The container that `before` or `since` names, or has the whole id of. Fails in Docker's words. */
export function namedRow(
  rows: readonly ContainerRow[],
  filters: Filters,
  key: string,
): ContainerRow | undefined {
  const wanted = filters.get(key)?.at(-1);
  if (wanted === undefined) return undefined;
  const bare = wanted.replace(/^\//, '');
  const match = rows.find((row) => row.id === wanted || row.name === bare);
  if (match !== undefined) return match;
  throw new TsengineError('NotFound', `no such container ${wanted}`);
}
