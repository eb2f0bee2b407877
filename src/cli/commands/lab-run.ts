import type { Command } from 'commander';
import type { MachineResult } from '../../lab/types.ts';
import {
  ABOUT_CACHE,
  ConsoleFile,
  type MachineFlags,
  machineFlags,
  machineOf,
  showConsole,
  tellEnd,
  tellNotice,
  tellProgress,
  untilInterrupted,
} from '../lab-flags.ts';
import { LabOutput } from '../lab-output.ts';
import { readStandardInput } from '../streams.ts';

interface RunFlags extends MachineFlags {
  readonly interactive?: boolean;
  readonly quiet?: boolean;
}

/** Seconds that a machine has unless somebody says otherwise. */
const TIMEOUT = '300';

const ABOUT = `The machine sees none of our files but tsengine's own: what the command is to
give back it leaves in /results, which --results copies here when it has ended.
Its exit code is ours; 124 is a time that was over, 125 a machine that failed.

Examples:
  tsengine lab run -- tsengine info
  tsengine lab run -k debian:6.12 --results out -- sh -c 'dmesg >/results/log'
  tsengine lab run --kernel ./bzImage --modules ./mods/lib/modules -- uname -r
  tsengine lab run -i -- sh <script.sh
  tsengine lab run --append loglevel=7 --console log -- sh -c 'modprobe xfs'
  tsengine save debian:12 | tsengine lab run -i -- \\
    sh -c 'tsengine load && tsengine run --rm debian:12 cat /proc/version'

${ABOUT_CACHE}`;

/** `tsengine lab run`: a command in a virtual machine with another kernel. Its output and its exit code are ours. */
export function register(command: Command): void {
  machineFlags(command, TIMEOUT)
    .usage('[OPTIONS] [--] COMMAND [ARG...]')
    .description(ABOUT)
    .argument('<command...>')
    .option('-i, --interactive', 'Give the command our standard input')
    .option('-q, --quiet', 'Say nothing of what is made before the machine starts')
    .action(async (words: string[], flags: RunFlags) => {
      const { runInMachine } = await import('../../lab/lab.ts');
      const request = machineOf(flags);
      using output = new LabOutput();
      using consoleFile = new ConsoleFile(flags);
      const run = async (signal: AbortSignal): Promise<MachineResult> => {
        try {
          return await runInMachine({
            ...request,
            command: words,
            signal,
            onProgress: tellProgress(flags.quiet),
            onNotice: tellNotice,
            onConsoleData: consoleFile.write,
            onOutput: (stream, data, unwanted) => output.write(stream === 'stdout' ? 1 : 2, data, unwanted),
            ...(flags.interactive === true ? { stdin: readStandardInput() } : {}),
          });
        } finally {
          if (flags.interactive === true) process.stdin.destroy();
        }
      };
      await tellEnd(await showConsole(() => untilInterrupted(run)));
    });
}
