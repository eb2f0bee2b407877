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
/** When a runtime has written the pid file it is as good as done, and conmon about to answer: it gets so many looks. */
const PATIENCE = 40;

/** A watch over a `create`. Dispose of it when conmon has answered. */
export interface CreateWatch extends Disposable {
  /** Whether the runtime was found dead, and what it had left was killed. */
  readonly foundDead: boolean;
}

/** Those of conmon's children that are left when the runtime is not among them: it, and what conmon forks for it, name the container. */
function orphansOf(run: RunDir): readonly number[] {
  const monitor = readPid(run.monitorPid);
  if (monitor === undefined) return [];
  const children = childrenOf(monitor).filter(isAlive);
  return children.some((pid) => commandLine(pid).includes(run.id)) ? [] : children;
}

/** Looks after a runtime that creates a container, and kills what it leaves when it dies, so that conmon answers. */
export function watchCreate(run: RunDir): CreateWatch {
  let foundDead = false;
  let looks = 0;
  const timer = setInterval(() => {
    const orphans = orphansOf(run);
    looks = orphans.length === 0 ? 0 : looks + 1;
    if (looks < 2 || (pathExists(run.pid) && looks < PATIENCE)) return;
    foundDead = true;
    for (const pid of orphans) killIfAny(pid);
  }, LOOK);
  return {
    get foundDead() {
      return foundDead;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
