/** Mount propagation of binds (mount_namespaces(7)), and what it asks of the root mount and of the source. */
import { TsengineError } from '../../../errors.ts';
import type { MountPoint } from '../../api/mount-point.ts';
import type { SourceMount } from './input.ts';

/** The modes of `-v …:MODE` and `bind-propagation=MODE`. */
export const PROPAGATION_MODES: readonly string[] = [
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
];

/** Whether one of two absolute paths is the other or lies, as text, under it; Docker compares them this way. */
export function pathsTouch(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

/** What propagation is judged by. */
export interface PropagationFacts {
  readonly sourceMounts: Readonly<Record<string, SourceMount>>;
  readonly dataRoot: string;
}

function sourceHas(
  source: string,
  facts: PropagationFacts,
  words: readonly string[],
  what: string,
): string | undefined {
  const mount = facts.sourceMounts[source];
  if (mount === undefined) return `Can't find mount point of ${source}`;
  if (mount.propagation.some((field) => words.some((word) => field.startsWith(word)))) return undefined;
  return `path ${source} is mounted on ${mount.mountPoint} but it is not a ${what} mount`;
}

/**
 * The root mount's propagation after taking one more bind into account (`undefined`: the runtime's default, private).
 * Shared and slave binds work only if their source's mount takes part; throws `InvalidParameter` in Docker's words if
 * it does not. Binds of the data root are slaves without being asked for, and so are forgiven.
 */
export function rootPropagation(
  current: string | undefined,
  point: Pick<MountPoint, 'Source' | 'Propagation' | 'Spec'>,
  facts: PropagationFacts,
): string | undefined {
  const mode = point.Propagation ?? '';
  if (mode.endsWith('shared')) {
    const problem = sourceHas(point.Source, facts, ['shared:'], 'shared');
    if (problem !== undefined) throw new TsengineError('InvalidParameter', problem);
    return current === 'rshared' ? current : 'shared';
  }
  if (mode.endsWith('slave')) {
    const problem = sourceHas(point.Source, facts, ['shared:', 'master:'], 'shared or slave');
    const asked = (point.Spec.BindOptions?.Propagation ?? '') !== '';
    if (problem === undefined) return current ?? 'rslave';
    if (asked || !pathsTouch(point.Source, facts.dataRoot))
      throw new TsengineError('InvalidParameter', problem);
  }
  return current;
}
