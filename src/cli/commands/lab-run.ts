import type { Command } from 'commander';
import {
  type MachineFlags,
  machineFlags,
  machineOf,
  showConsole,
  tellEnd,
  tellProgress,
  untilInterrupted,
} from '../lab-flags.ts';
import { writeOut } from '../output.ts';
import { readStandardInput } from '../streams.ts';

interface RunFlags extends MachineFlags {
  readonly interactive?: boolean;
  readonly quiet?: boolean;
}

/** Seconds that a machine has unless somebody says otherwise. */
const TIMEOUT = '300';

/** `tsengine lab run`: a command in a virtual machine with another kernel. Its output and its exit code are ours. */
export function register(command: Command): void {
  machineFlags(command, TIMEOUT)
    .usage('[OPTIONS] [--] COMMAND [ARG...]')
    .argument('<command...>')
    .option('-i, --interactive', 'Give the command our standard input')
    .option('-q, --quiet', 'Say nothing of what is made before the machine starts')
    .action(async (words: string[], flags: RunFlags) => {
      const { runInMachine } = await import('../../lab/lab.ts');
      const request = machineOf(flags);
      const result = await showConsole(() =>
        untilInterrupted((signal) =>
          runInMachine({
            ...request,
            command: words,
            signal,
            onProgress: tellProgress(flags.quiet),
            onOutput: (stream, data) => writeOut(stream === 'stdout' ? 1 : 2, data),
            ...(flags.interactive === true ? { stdin: readStandardInput() } : {}),
          }),
        ),
      );
      tellEnd(result);
      if (flags.interactive === true) process.stdin.destroy();
    });
}
