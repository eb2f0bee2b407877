import type { Command } from 'commander';
import { DRIVER_NAMES } from '../../drivers/registry.ts';
import { TsengineError } from '../../errors.ts';
import type { MatrixRequest } from '../../lab/matrix/run-matrix.ts';
import { BACKINGS } from '../../lab/matrix/schema.ts';
import { shellWord } from '../../linux/command.ts';
import type { CommandContext } from '../command.ts';
import { parseFlag, usageError } from '../flags/flag-error.ts';
import { nameList } from '../flags/name-list.ts';
import { positiveWhole } from '../flags/positive.ts';
import { ramInBytes } from '../format/units.ts';
import { named, untilInterrupted } from '../lab-flags.ts';
import { showMatrixProgress } from '../matrix-progress.ts';
import { writeOutNow } from '../output.ts';

interface MatrixFlags {
  readonly backing?: string;
  readonly cellTimeout: string;
  readonly diff?: boolean;
  readonly drivers?: string;
  readonly fresh?: boolean;
  readonly full?: boolean;
  readonly initrd?: string;
  readonly jobs?: string;
  readonly kernels: string;
  readonly memory?: string;
  readonly modules?: string;
  readonly out: string;
  readonly quiet?: boolean;
  readonly withhold?: string;
}

const CELL_SECONDS = '1800';

/** Eleven days: more is a slip, and more than Node's timers can count. */
const MOST_CELL_SECONDS = 1_000_000;

const ABOUT = `A driver on one filesystem takes 10 to 30 s on this machine's kernel, and minutes in
a machine that QEMU emulates. What is done is kept in --out: the same command goes on
from there, after Ctrl-C as well. --jobs counts machines, and drivers on this machine's
kernel; there are only as many machines at once as there is memory for.

In --out are then matrix.json, for programs (docs/matrix.schema.json describes it),
matrix.md, and matrix.html, a page by itself: click a cell for its log.

Exit code: 1 when a cell failed, or a kernel died or did not run to its end, and with
--diff on a regression; 125 when there is nothing to tell: a wrong flag, a file that is
not there, no kernel that ran; 130 after Ctrl-C; else 0.

Examples:
  tsengine lab matrix --drivers overlay2 --backing ext4,xfs
  tsengine lab matrix --kernels host,debian:6.1,debian:6.12 --out matrix
  tsengine lab matrix --kernels ./bzImage --modules ./mods/lib/modules --out new
  tsengine lab matrix --diff matrix/matrix.json new/matrix.json

docs/lab-matrix.md says more: what a cell is, and what a regression.`;

/** `tsengine lab matrix`: every driver on every filesystem on every kernel, or what changed between two such runs. */
export function register(command: Command, context: CommandContext): void {
  addKernelFlags(command);
  addCellFlags(command)
    .usage('[OPTIONS] | --diff OLD.json NEW.json')
    .description(ABOUT)
    .argument('[old]')
    .argument('[new]')
    .option('--diff', 'Say what changed between two files; exit code 1 on a regression')
    .option('--fresh', 'Throw away what an earlier run found in the folder')
    .option('--jobs <number>', 'How many machines and drivers to run at once (default as many as processors)')
    .option('--out <path>', 'Folder for matrix.json, matrix.md and matrix.html (default "matrix")', 'matrix')
    .option('-q, --quiet', 'Say nothing on the way; of what changed, regressions alone')
    .action(async (old: string | undefined, now: string | undefined, flags: MatrixFlags) => {
      if (flags.diff === true) {
        const other = command.options.find(
          (option) =>
            !['diff', 'out', 'quiet'].includes(option.attributeName()) &&
            command.getOptionValueSource(option.attributeName()) === 'cli',
        );
        if (other !== undefined)
          throw usageError(`'${context.commandPath} --diff' runs nothing, and takes no ${other.long}`);
        return await compare(old, now, context, flags.quiet === true);
      }
      if (old !== undefined) {
        throw usageError(`'${context.commandPath}' takes two files with --diff, and no arguments without it`);
      }
      await run(await requestOf(flags, context), flags.quiet === true);
    });
}

function addKernelFlags(command: Command): Command {
  return command
    .option(
      '--kernels <list>',
      'host, debian:VERSION, debian:SUITE or paths of kernels, separated by commas (default "host")',
      'host',
    )
    .option('--modules <path>', 'Folder of the modules of kernels given by a path')
    .option('--initrd <file>', 'An initial RAM disk for kernels given by a path')
    .option('--memory <bytes>', 'Memory of each virtual machine, 128m or more (default "2g")')
    .option('--withhold <list>', 'Modules that the kernels of virtual machines do without');
}

function addCellFlags(command: Command): Command {
  const filesystems = `Filesystems under the data root, separated by commas: ${BACKINGS.join(', ')} (default all)`;
  const drivers = `Storage drivers, separated by commas: ${DRIVER_NAMES.join(', ')} (default all)`;
  return command
    .option('--backing <list>', filesystems)
    .option('--drivers <list>', drivers)
    .option(
      '--cell-timeout <seconds>',
      `Seconds that one driver on one filesystem may take (default ${CELL_SECONDS})`,
      CELL_SECONDS,
    )
    .option('--full', 'Run the slow checks as well, and all of them on every filesystem');
}

async function compare(
  old: string | undefined,
  now: string | undefined,
  { commandPath }: CommandContext,
  quiet: boolean,
): Promise<void> {
  if (old === undefined || now === undefined) {
    throw usageError(`'${commandPath} --diff' takes two files: the old matrix.json and the new one`);
  }
  const { readMatrix } = await import('../../lab/matrix/matrix-file.ts');
  const { areComparable, diffMatrices, diffText, hasRegression, regressionText } = await import(
    '../../lab/matrix/diff.ts'
  );
  const [before, after] = [readMatrix(old), readMatrix(now)];
  if (!areComparable(before, after)) {
    const names = [before, after].map(({ kernels }) => kernels.map(({ name }) => name).join(', ') || 'none');
    throw new TsengineError(
      'InvalidParameter',
      `${old} and ${now} share no kernel, so that there is nothing to compare: one has ${names.join(', the other ')}`,
    );
  }
  if (before.slow !== after.slow) {
    const [full, brief] = before.slow ? [old, now] : [now, old];
    throw new TsengineError(
      'InvalidParameter',
      `${full} was made with --full and ${brief} without: other checks ran, so that there is nothing to compare; make both alike`,
    );
  }
  const changes = diffMatrices(before, after);
  writeOutNow(1, quiet ? regressionText(changes) : diffText(changes));
  if (hasRegression(changes)) process.exitCode = 1;
}

async function requestOf(flags: MatrixFlags, { commandPath }: CommandContext): Promise<MatrixRequest> {
  return {
    ...(await kernelsOf(flags)),
    ...(await cellsOf(flags)),
    slow: flags.full === true,
    out: parseFlag('--out', flags.out, named('it must name a folder')),
    fresh: flags.fresh === true,
    limitMs: positiveWhole('--cell-timeout', flags.cellTimeout, MOST_CELL_SECONDS) * 1000,
    parallel: flags.jobs === undefined ? undefined : positiveWhole('--jobs', flags.jobs),
    memory: await memoryOf(flags),
    command: commandOf(flags, commandPath),
  };
}

/** The kernels, and what goes with them. */
async function kernelsOf(
  flags: MatrixFlags,
): Promise<Pick<MatrixRequest, 'kernels' | 'ownParts' | 'withheldModules'>> {
  const { kernelChoice, withoutRepeats } = await import('../../lab/matrix/kernel-names.ts');
  const kernels = withoutRepeats(nameList('--kernels', flags.kernels));
  for (const name of kernels) parseFlag('--kernels', flags.kernels, () => kernelChoice(name));
  const { modules, initrd, withhold } = flags;
  for (const [flag, value] of Object.entries({ modules, initrd }))
    if (value !== undefined && !kernels.some((name) => name.includes('/')))
      throw usageError(`--${flag} goes with a kernel of your own, given by its path: --kernels has none`);
  if (withhold !== undefined && kernels.every((name) => name === 'host'))
    throw usageError(
      '--withhold is for virtual machines: --kernels names only this machine, which keeps its modules',
    );
  const withheldModules = withhold === undefined ? [] : nameList('--withhold', withhold);
  const { mustBeWithholdable } = await import('../../lab/withheld.ts');
  parseFlag('--withhold', withhold ?? '', () => mustBeWithholdable(withheldModules));
  const ownParts = {
    ...(modules === undefined ? {} : { modules }),
    ...(initrd === undefined ? {} : { initrd }),
  };
  return { kernels, ownParts, withheldModules };
}

/** The drivers and the filesystems. */
async function cellsOf(flags: MatrixFlags): Promise<Pick<MatrixRequest, 'drivers' | 'backings'>> {
  const { chosenBackings, chosenDrivers } = await import('../../lab/matrix/cells.ts');
  const named = flags.drivers === undefined ? [] : nameList('--drivers', flags.drivers);
  const drivers = await chosenDrivers(named).catch((error: unknown) =>
    parseFlag('--drivers', flags.drivers ?? '', () => {
      throw error;
    }),
  );
  const places = flags.backing === undefined ? [] : nameList('--backing', flags.backing);
  const backings = parseFlag('--backing', flags.backing ?? '', () => chosenBackings(places));
  return { drivers, backings };
}

/** Bytes of each machine. */
async function memoryOf({ memory }: MatrixFlags): Promise<number | undefined> {
  if (memory === undefined) return undefined;
  const { mustBeEnough } = await import('../../lab/memory.ts');
  return parseFlag('--memory', memory, () => {
    const bytes = ramInBytes(memory);
    mustBeEnough(bytes);
    return bytes;
  });
}

/**
 * The command as somebody else would give it to a shell: all that makes it another matrix, and nothing of where it is written
 * and how much runs at once. Exported for its test.
 */
export function commandOf(flags: MatrixFlags, commandPath: string): string {
  const { kernels, modules, initrd, drivers, backing, full, withhold, memory, cellTimeout } = flags;
  const words = [commandPath];
  const add = (flag: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') words.push(flag, shellWord(value));
  };
  add('--kernels', kernels);
  add('--modules', modules);
  add('--initrd', initrd);
  add('--drivers', drivers);
  add('--backing', backing);
  if (full === true) words.push('--full');
  add('--withhold', withhold);
  add('--memory', memory);
  if (cellTimeout !== CELL_SECONDS) add('--cell-timeout', cellTimeout);
  return words.join(' ');
}

async function run(request: MatrixRequest, quiet: boolean): Promise<void> {
  const { runMatrix } = await import('../../lab/matrix/run-matrix.ts');
  const { mustTakeMatrix, writeMatrix } = await import('../../lab/matrix/matrix-file.ts');
  const { hasFailures, summaryText } = await import('../../lab/matrix/summary.ts');
  mustTakeMatrix(request.out);
  using progress = showMatrixProgress(quiet);
  const matrix = await untilInterrupted(
    (signal) => runMatrix({ ...request, signal }, progress.listener),
    'what is done is kept, and the same command goes on from there',
  );
  progress.clear();
  // A kernel that does not even boot is a finding. What could not be tried is none.
  if (matrix.kernels.every(({ cells, errorOf }) => cells.length === 0 && errorOf !== 'kernel')) {
    const reasons = matrix.kernels.map(({ name, error }) => `${name}: ${error ?? 'no cells'}`);
    throw new TsengineError('Unavailable', `nothing ran, and nothing is written: ${reasons.join('; ')}`);
  }
  const files = await writeMatrix(matrix, request.out);
  const paths = `written: ${files.json}, ${files.markdown}, ${files.html}\n`;
  writeOutNow(1, `${summaryText(matrix)}${paths}`);
  if (hasFailures(matrix)) process.exitCode = 1;
}
