import { inspect } from 'node:util';
import type { Command } from 'commander';
import { DEFAULT_DATA_ROOT } from '../../engine/root.ts';
import type { CheckOutcome } from '../../lab/checks.ts';
import type { CommandContext } from '../command.ts';
import { addDataRootFlag, type DataRootFlag, withDataRoot } from '../data-root-flag.ts';
import { parseFlag } from '../flags/flag-error.ts';
import { untilInterrupted } from '../lab-flags.ts';
import { writeOutNow } from '../output.ts';

interface CheckFlags extends DataRootFlag {
  readonly full?: boolean;
  readonly json?: boolean;
  readonly only?: string;
}

/** `tsengine driver check`: the conformance suite over a driver, on the filesystem of a data root. Exit code 1 when a check fails. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] DRIVER')
    .argument('<driver>')
    .option('--full', 'Run the slow checks as well')
    .option('--only <regexp>', 'Run the checks whose name matches this, slow or not')
    .option('--json', 'Print one JSON object a check');
  addDataRootFlag(command, 'Check on the file system of this folder (default that of the data root)').action(
    async (name: string, flags: CheckFlags) => {
      const { checkDriver } = await import('../../lab/driver-check.ts');
      const { dataRoot: place = DEFAULT_DATA_ROOT, execRoot } = withDataRoot(context, flags).globals;
      const counts = { ok: 0, failed: 0, excused: 0 };
      const tell = (outcome: CheckOutcome): void => {
        counts[outcome.state]++;
        writeOutNow(1, flags.json === true ? jsonLine(outcome) : textLine(outcome));
        if (context.globals.debug && outcome.state === 'failed')
          process.stderr.write(`${inspect(outcome.error)}\n`);
      };
      const { parseStorageOption } = await import('../../drivers/storage-options.ts');
      const options = context.globals.storageOpts.map(parseStorageOption);
      const note = (line: string): void => void process.stderr.write(`${line}\n`);
      const only = flags.only === undefined ? {} : { only: parseFlag('--only', flags.only, RegExp) };
      await untilInterrupted(
        (signal) =>
          checkDriver(
            name,
            place,
            { slow: flags.full === true, ...only, signal, options, execRoot, note },
            tell,
          ),
        'what was made for the checks is removed',
      );
      if (flags.json !== true)
        writeOutNow(1, `${counts.ok} passed, ${counts.failed} failed, ${counts.excused} excused\n`);
      if (counts.failed > 0) process.exitCode = 1;
    },
  );
}

function jsonLine({ name, state, ms, reason }: CheckOutcome): string {
  return `${JSON.stringify({ check: name, state, ms, ...(reason === undefined ? {} : { reason }) })}\n`;
}

function textLine({ name, state, ms, reason }: CheckOutcome): string {
  const word = state === 'ok' ? 'ok     ' : state === 'failed' ? 'FAILED ' : 'excused';
  const after =
    reason === undefined ? ` (${ms} ms)` : `: ${reason.replaceAll(/\s*\n\s*/g, ' ').slice(0, 500)}`;
  return `${word} ${name}${after}\n`;
}
