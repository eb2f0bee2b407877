/**
 * A runtime that is killed in the middle of `create` may leave the container's first process behind, which waits for a word
 * that never comes. conmon 2.1 then reads that process's standard error to the end before it says that the container could not
 * be made: for ever. So somebody has to look.
 */
import { pathExists } from '../../linux/files.ts';
import { childrenOf, commandLine, isAlive, killIfAny } from '../../linux/processes.ts';
import { type RunDir, readPid } from './run-dir.ts';

/** How often we look. Milliseconds. */
const LOOK = 250;
/** So many looks find the same before it is believed. */
const SURE = 2;
/**
 * As many where it may be a matter of time: a runtime that has written the pid file is as good as done, and conmon about to
 * answer; a child without a command line is about to become the runtime (exec takes it away first, which lasted half a
 * second on a machine with too much to do), or one that conmon has not reaped yet.
 */
const PATIENCE = 40;

/** A watch over a `create`. Dispose of it when conmon has answered. */
export interface CreateWatch extends Disposable {
  /** Whether the runtime was found dead, and what it had left was killed. */
  readonly foundDead: boolean;
}

/** Those of conmon's children that are left when the runtime is not among them: it, and what conmon forks for it, name the container. */
function orphansOf(run: RunDir): { readonly pids: readonly number[]; readonly isSure: boolean } {
  const monitor = readPid(run.monitorPid);
  const children = monitor === undefined ? [] : childrenOf(monitor);
  const lines = children.map(commandLine);
  return {
    pids: lines.some((line) => line.includes(run.id)) ? [] : children.filter(isAlive),
    isSure: !pathExists(run.pid) && lines.every((line) => line.join('') !== ''),
  };
}

/** Looks after a runtime that creates a container, and kills what it leaves when it dies, so that conmon answers. */
export function watchCreate(run: RunDir): CreateWatch {
  let foundDead = false;
  let looks = 0;
  const timer = setInterval(() => {
    const { pids, isSure } = orphansOf(run);
    looks = pids.length === 0 ? 0 : looks + 1;
    if (looks < (isSure ? SURE : PATIENCE)) return;
    foundDead = true;
    for (const pid of pids) killIfAny(pid);
  }, LOOK);
  return {
    get foundDead() {
      return foundDead;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
