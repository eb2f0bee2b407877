/** Waiting for a process, and not for ever. */
import type { ChildProcess } from 'node:child_process';

/** How long is waited. */
export interface Patience {
  /** Milliseconds until it is killed. */
  readonly limitMs: number;
  /** Milliseconds from then on until it is left alone: a process that waits for a device or a server does not even die. */
  readonly graceMs: number;
  /** Kills it. */
  readonly signal: AbortSignal | undefined;
}

/** How it ended. */
export interface ProcessEnd {
  /** Why it came to no good end; `undefined` when it did. */
  readonly trouble: string | undefined;
  /** Whether it is gone, and did not have to be left behind. */
  readonly isGone: boolean;
}

/**
 * Waits until a child has ended and all that it started has closed its output. Fails when it could not be started. One that
 * cannot be killed is left as it is and not waited for, and neither is it when this process ends.
 */
export async function untilEnd(child: ChildProcess, patience: Patience): Promise<ProcessEnd> {
  const { limitMs, graceMs, signal } = patience;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let trouble: string | undefined;
  let isGone = true;
  let grace: NodeJS.Timeout | undefined;
  const stop = (why: string): void => {
    trouble ??= why;
    child.kill('SIGKILL');
    grace ??= setTimeout(() => {
      trouble = `${why}, and did not end within ${graceMs / 1000} s of being killed: it may hang in the kernel`;
      isGone = false;
      leave(child);
      resolve();
    }, graceMs);
  };
  const timer = setTimeout(() => stop(`it was not done after ${limitMs / 1000} s`), limitMs);
  const aborted = (): void => stop('it was interrupted');
  signal?.addEventListener('abort', aborted);
  child.on('error', reject);
  child.on('close', (code, ended) => {
    if (code !== 0) trouble ??= `its process ended with ${ended ?? `exit code ${code}`}`;
    resolve();
  });
  if (signal?.aborted === true) aborted();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    clearTimeout(grace);
    signal?.removeEventListener('abort', aborted);
  }
  return { trouble, isGone };
}

function leave(child: ChildProcess): void {
  for (const stream of child.stdio) stream?.destroy();
  child.unref();
}
