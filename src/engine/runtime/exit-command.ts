import type { RunDir } from './run-dir.ts';

/**
 * What conmon runs at the end of a container: a few lines of shell, which start `recorder` (which takes as long as a
 * command of ours takes to start) only when there is something left to record.
 *
 * `$1` is the run folder, `$2` the process that watches in the foreground, or empty; then `watcher` in the run folder may
 * name one that is ending the container just now. That process records the end itself, in a moment; it is given five
 * seconds, as long as it lives.
 */
const SCRIPT = [
  'w=$2',
  '[ -n "$w" ] || { [ -r "$1/watcher" ] && read -r w <"$1/watcher"; }',
  'i=0',
  'while [ -n "$w" ] && [ -d "$1" ] && [ -d "/proc/$w" ] && [ "$i" -lt 100 ]; do sleep 0.05; i=$((i + 1)); done',
  '[ -d "$1" ] || exit 0',
  'shift 2',
  'exec "$@"',
].join('\n');

/** The program and arguments that conmon is to run when the container has ended. */
export function exitCommandOf(
  run: RunDir,
  recorder: readonly string[],
  watcher: number | undefined,
): string[] {
  return [
    '/bin/sh',
    '-c',
    SCRIPT,
    'tsengine-exited',
    run.path,
    watcher === undefined ? '' : String(watcher),
    ...recorder,
  ];
}
