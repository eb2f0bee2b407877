import type { Command } from 'commander';
import { TsengineError } from '../../errors.ts';
import type { MachineResult, Terminal } from '../../lab/types.ts';
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
import { TypedInput } from '../typed-input.ts';

/** No time limit would be the right one for a person; timers take no more than this. Seconds. */
const LONGEST = '2000000';

const ABOUT = `Examples:
  tsengine lab shell --kernel debian:5.10
  tsengine lab shell --with systemd,docker --results out

${ABOUT_CACHE}`;

const ended = new TsengineError('System', 'the machine is ended, because ~. was typed', { exitCode: 130 });

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
      const escaped = new AbortController();
      const input = new TypedInput(process.stdin, () => escaped.abort(ended));
      using output = new LabOutput();
      using consoleFile = new ConsoleFile(flags);
      const shell = async (signal: AbortSignal): Promise<MachineResult> => {
        try {
          return await runInMachine({
            ...request,
            command: words.length === 0 ? ['bash', '-l'] : words,
            signal: AbortSignal.any([signal, escaped.signal]),
            onProgress: tellProgress(),
            onNotice: tellNotice,
            onConsoleData: consoleFile.write,
            onOutput: (_, data, unwanted) => output.write(1, data, unwanted),
            stdin: input,
            terminal: ourTerminal(),
          });
        } finally {
          await input.return();
        }
      };
      tellNotice('in the machine, Enter and then ~. ends it, whatever it does');
      await tellEnd(await showConsole(() => untilInterrupted(shell)));
      process.stdin.destroy();
    });
}

function ourTerminal(): Terminal {
  const { stdout } = process;
  return {
    // Of a terminal that nobody has told its size, as script(1) makes them, both are 0.
    columns: stdout.columns || 80,
    rows: stdout.rows || 24,
    type: process.env.TERM ?? 'linux',
    onResize: (listener) => {
      stdout.on('resize', () => listener(stdout.columns || 80, stdout.rows || 24));
    },
  };
}
