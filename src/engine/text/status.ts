/** The texts that Docker gives for a container's state: the STATE and STATUS columns of `ps`. */
import { humanDuration } from './duration.ts';
import { isZeroTime, parseTimestamp } from './timestamp.ts';

/** A container's state, with the keys of `config.v2.json`. */
export interface ContainerState {
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly RemovalInProgress: boolean;
  readonly Dead: boolean;
  readonly ExitCode: number;
  /** RFC 3339; Go's zero time where it has not happened. */
  readonly StartedAt: string;
  readonly FinishedAt: string;
  readonly Health?: { readonly Status: string } | null | undefined;
}

/** The words that `ps --filter status=` takes, and `inspect` shows as `.State.Status`. */
export const STATES = ['paused', 'restarting', 'removing', 'running', 'dead', 'created', 'exited'] as const;

/** One of `STATES`. */
export function stateName(state: ContainerState): (typeof STATES)[number] {
  if (state.Running) return state.Paused ? 'paused' : state.Restarting ? 'restarting' : 'running';
  if (state.RemovalInProgress) return 'removing';
  if (state.Dead) return 'dead';
  return isZeroTime(state.StartedAt) ? 'created' : 'exited';
}

/** The STATUS column: `Up 3 minutes (Paused)`, `Exited (137) 5 seconds ago`. `now` is in nanoseconds since 1970. */
export function statusText(state: ContainerState, now: bigint): string {
  const since = (time: string) => humanDuration(Number(now - parseTimestamp(time)) / 1e9);
  if (state.Running) {
    const up = isZeroTime(state.StartedAt) ? 'Less than a second' : since(state.StartedAt);
    if (state.Paused) return `Up ${up} (Paused)`;
    if (state.Restarting) return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    const health = state.Health?.Status;
    if (health === undefined || health === '' || health === 'none') return `Up ${up}`;
    return `Up ${up} (${health === 'starting' ? 'health: starting' : health})`;
  }
  if (state.RemovalInProgress) return 'Removal In Progress';
  if (state.Dead) return 'Dead';
  if (isZeroTime(state.StartedAt)) return 'Created';
  if (isZeroTime(state.FinishedAt)) return '';
  return `Exited (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
}

/** The command of a container as the API gives it: its path and arguments, those with blanks in single quotes. */
export function commandText(path: string, args: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}
