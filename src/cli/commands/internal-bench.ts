import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import { writeOutNow } from '../output.ts';

interface BenchFlags {
  readonly block?: string;
  readonly machine?: string;
  readonly disk?: string;
}

/**
 * `tsengine internal-bench`: what `bench` starts. `--block` measures one block, in the namespaces that it was started in; `--machine`
 * all that it is given, with the stores on the empty disk `--disk`: in a virtual machine.
 */
export function register(command: Command): void {
  command
    .usage('[OPTIONS]')
    .option('--block <json>', 'Measure one block in this process')
    .option('--machine <json>', 'Measure all of these blocks')
    .option('--disk <path>', 'An empty disk to work on')
    .action(async (flags: BenchFlags) => {
      const { eventLine } = await import('../../../bench/suite/measure/events.ts');
      if (flags.block !== undefined) {
        const { blockRequestSchema, runBlock } = await import(
          '../../../bench/suite/measure/block-process.ts'
        );
        const request = blockRequestSchema().parse(JSON.parse(flags.block));
        await runBlock(request, (event) => writeOutNow(1, eventLine(event)));
      } else if (flags.machine !== undefined) {
        const { runInThisMachine } = await import('../../../bench/suite/measure/in-machine.ts');
        await runInThisMachine(flags.machine, flags.disk, (event) => writeOutNow(1, eventLine(event)));
      } else {
        throw new TsengineError('InvalidParameter', `'tsengine ${command.name()}' is for tsengine bench`);
      }
    });
}
