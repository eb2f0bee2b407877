import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import type { MachineResult, Terminal } from '../../lab/types.ts';
import {
  ABOUT_CACHE,
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

/** No time limit would be the right one for a person; timers take no more than this. Seconds. */
const LONGEST = '2000000';

const ABOUT = `Examples:
  tsengine lab shell --kernel debian:5.10
  tsengine lab shell --with systemd,docker --results out

${ABOUT_CACHE}`;

/** `tsengine lab shell`: a shell, or another interactive command, in a virtual machine, on this terminal. */
export function register(command: Command): void {
  machineFlags(command, '')
    .usage('[OPTIONS] [--] [COMMAND] [ARG...]')
    .description(ABOUT)
    .argument('[command...]')
    .action(async (words: string[], flags: MachineFlags) => {
      if (!process.stdin.isTTY || !process.stdout.isTTY) {
        throw new TsengineError(
          'InvalidParameter',
          'lab shell needs a terminal for its input and output: without one use tsengine lab run',
        );
      }
      const { runInMachine } = await import('../../lab/lab.ts');
      const request = machineOf({ ...flags, timeout: flags.timeout ?? LONGEST });
      const shell = async (signal: AbortSignal): Promise<MachineResult> => {
        try {
          return await runInMachine({
            ...request,
            command: words.length === 0 ? ['bash', '-l'] : words,
            signal,
            onProgress: tellProgress(),
            onOutput: (_, data) => writeOut(1, data),
            stdin: rawInput(),
            terminal: ourTerminal(),
          });
        } finally {
          process.stdin.setRawMode(false);
        }
      };
      tellEnd(await showConsole(() => untilInterrupted(shell)));
      process.stdin.destroy();
    });
}

/** What is typed, key by key, from the moment the machine asks for it: until then Ctrl-C is ours. */
async function* rawInput(): AsyncGenerator<Buffer> {
  process.stdin.setRawMode(true);
  yield* readStandardInput();
}

function ourTerminal(): Terminal {
  const { stdout } = process;
  return {
    columns: stdout.columns,
    rows: stdout.rows,
    type: process.env.TERM ?? 'linux',
    onResize: (listener) => {
      stdout.on('resize', () => listener(stdout.columns, stdout.rows));
    },
  };
}
