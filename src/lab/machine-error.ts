import { TsengineError } from '../errors.ts';

/**
 * - `no-boot`: the kernel or the first program in it ended, or nothing was heard of it in time.
 * - `panic`: the kernel panicked.
 * - `memory`: the machine's memory was too small to go on.
 * - `timeout`: the command was still running when its time was over.
 * - `hang`: when the time was over the machine did not answer any more, or its command wrote nothing for longer than it may.
 * - `host-disk`: the disk of this machine, below the cache, is full.
 * - `host`: QEMU failed, or was killed by somebody else, which says nothing of the kernel: this machine has no memory for it, say.
 * - `nonsense`: what came from the agent in the machine was no message of its.
 * - `ended`: the machine, or the lab's agent in it, went away under the command, without a panic.
 */
export type MachineErrorKind =
  | 'no-boot'
  | 'panic'
  | 'memory'
  | 'timeout'
  | 'hang'
  | 'host-disk'
  | 'host'
  | 'nonsense'
  | 'ended';

/** Exit code when the time is over, as timeout(1) has it. */
export const TIMEOUT_EXIT = 124;
/** Exit code when the machine failed. */
export const MACHINE_EXIT = 125;

/** A machine that failed, in one line; `console` has its last lines, of a `timeout` those that came while the command ran. */
export class MachineError extends TsengineError {
  readonly kind: MachineErrorKind;
  readonly console: readonly string[];

  constructor(kind: MachineErrorKind, message: string, console: readonly string[]) {
    super('System', message, { exitCode: kind === 'timeout' ? TIMEOUT_EXIT : MACHINE_EXIT });
    this.kind = kind;
    this.console = console;
  }
}
