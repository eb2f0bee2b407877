import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import { writeOutNow } from '../output.ts';

interface CellsFlags {
  readonly cells?: string;
  readonly disk?: string;
  readonly isolated?: string;
  readonly job?: string;
}

/**
 * `tsengine internal-lab-cells`: what `lab matrix` starts for cells on the kernel that it stands on. `--cells` runs all
 * that it is given, with images of filesystems on the empty disk `--disk`; `--isolated` one of them, in the namespaces that it
 * was started in; `--job` one call of a driver, for a check that needs another process.
 */
export function register(command: Command): void {
  command
    .usage('[OPTIONS]')
    .option('--cells <json>', 'Run these cells')
    .option('--disk <path>', 'An empty disk to work on')
    .option('--isolated <json>', 'Run one cell in this process')
    .option('--job <json>', 'Do one call of a driver in this process')
    .action(async (flags: CellsFlags) => {
      if (flags.job !== undefined) {
        const { doJob } = await import('../../lab/matrix/job-process.ts');
        writeOutNow(1, await doJob(flags.job));
      } else if (flags.isolated !== undefined) {
        const { runIsolated } = await import('../../lab/matrix/isolated-process.ts');
        await runIsolated(flags.isolated, (text) => writeOutNow(1, text));
      } else if (flags.cells !== undefined) {
        const { runCellsOnDisk } = await import('../../lab/matrix/cells-on-disk.ts');
        await runCellsOnDisk(flags.cells, flags.disk, (text) => writeOutNow(1, text));
      } else {
        throw new TsengineError(
          'InvalidParameter',
          `'tsengine ${command.name()}' is for tsengine lab matrix`,
        );
      }
    });
}
