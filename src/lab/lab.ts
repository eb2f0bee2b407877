/**
 * The kernel lab: virtual machines with other kernels, and tsengine in them. This is what the command line and the matrix
 * use; the files beside it are its parts.
 */
import { TsengineError } from '../errors.ts';
import type { MachineRequest, MachineResult } from './types.ts';

export type { KernelChoice, LabFeature, MachineRequest, MachineResult, OwnKernel } from './types.ts';

/**
 * Starts a machine, runs the command in it and ends it. Builds first what the cache has not: the kernel, its modules, the
 * root image; two who need the same build it once. Several machines may run at once.
 *
 * Fails with `MachineError` (see machine-error.ts: `kind` is `panic`, `no-boot`, `timeout`, `ended`, `host-disk`…) when
 * the machine and not the command is to blame, and with another `TsengineError` when it could not be started. Whatever
 * happens, the machine has ended when the promise settles, and it ends when this process does.
 */
export async function runInMachine(request: MachineRequest): Promise<MachineResult> {
  throw new TsengineError('NotImplemented', `the lab cannot run ${request.command.join(' ')} yet`);
}
