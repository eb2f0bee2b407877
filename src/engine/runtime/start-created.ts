import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno, TsengineError } from '../../errors.ts';
import { O_NONBLOCK, O_RDONLY } from '../../linux/at.ts';
import { closeFile, openFile, pathExists, readInto, removeFile } from '../../linux/files.ts';
import { isAlive } from '../../linux/processes.ts';
import { type OciRuntime, requireRuntime } from './oci-runtime.ts';

/** Reads at least one byte from the fifo; `false` when the writer died before it came to write. */
async function readGo(fifo: string, pid: number): Promise<boolean> {
  const fd = openFile(fifo, O_RDONLY | O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(16);
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (readInto(fd, buffer, 0, buffer.length, null) > 0) return true;
      } catch (error) {
        if (!hasErrno(error, 'EAGAIN')) throw error;
      }
      // Nothing yet: init is a few instructions short of opening the fifo, or it is dead.
      if (attempt >= 20 && !isAlive(pid)) return false;
      await sleep(attempt < 5 ? 0 : 1);
    }
  } finally {
    closeFile(fd);
  }
}

/**
 * Lets a created container's process run its command.
 *
 * runc's init waits in open(2) of the fifo `exec.fifo` in the container's state folder for a reader, writes a byte and
 * executes; `runc start` is nothing but that reader, which then removes the fifo. Reading it ourselves saves a process
 * (8 ms). Where there is no such fifo beside a state.json, which is how runc keeps its state, the runtime is called.
 */
export async function startCreated(runtime: OciRuntime, id: string, pid: number): Promise<void> {
  const state = `${runtime.root}/${id}`;
  const fifo = `${state}/exec.fifo`;
  if (!pathExists(`${state}/state.json`) || !pathExists(fifo)) {
    await requireRuntime(runtime, 'start', id);
    return;
  }
  if (!(await readGo(fifo, pid))) {
    throw new TsengineError('System', 'cannot start a container whose process is already dead');
  }
  removeFile(fifo);
}
