import type { Command } from 'commander';
import { DRIVER_NAMES } from '../../drivers/registry.ts';
import { TsengineError } from '../../errors.ts';
import type { MatrixRequest } from '../../lab/matrix/run-matrix.ts';
import { BACKINGS } from '../../lab/matrix/schema.ts';
import type { CommandContext } from '../command.ts';
import { parseFlag, usageError } from '../flags/flag-error.ts';
import { nameList } from '../flags/name-list.ts';
import { positiveWhole } from '../flags/positive.ts';
import { ramInBytes } from '../format/units.ts';
import { showMatrixProgress } from '../matrix-progress.ts';
import { writeOutNow } from '../output.ts';

interface MatrixFlags {
  readonly backing: string;
  readonly cellTimeout: string;
  readonly diff?: boolean;
  readonly drivers: string;
  readonly fresh?: boolean;
  readonly full?: boolean;
  readonly initrd?: string;
  readonly jobs?: string;
  readonly kernels: string;
  readonly memory?: string;
  readonly modules?: string;
  readonly out: string;
  readonly quiet?: boolean;
  readonly withhold: string;
}

const CELL_SECONDS = '1800';

/** Eleven days: more is a slip, and more than Node's timers can count. */
const MOST_CELL_SECONDS = 1_000_000;

/** Exit code when there is nothing to tell: a wrong flag, a file that is not there, no kernel that ran. */
const NOTHING_DONE = 125;

/** Exit code after Ctrl-C, as shells report it: 128 + 2. */
const INTERRUPTED = 130;

/** `tsengine lab matrix`: every driver on every filesystem on every kernel, or what changed between two such runs. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] | --diff OLD.json NEW.json')
    .argument('[old]')
    .argument('[new]')
    .option(
      '--backing <list>',
      `Filesystems under the data root, separated by commas: ${BACKINGS.join(', ')} (default all)`,
      '',
    )
    .option(
      '--cell-timeout <seconds>',
      `Seconds that one driver on one filesystem may take (default ${CELL_SECONDS})`,
      CELL_SECONDS,
    )
    .option('--diff', 'Say what changed between two files; exit code 1 on a regression')
    .option(
      '--drivers <list>',
      `Storage drivers, separated by commas: ${DRIVER_NAMES.join(', ')} (default all)`,
      '',
    )
    .option('--fresh', 'Throw away what an earlier run found in the folder')
    .option('--full', 'Run the slow checks as well, and all of them on every filesystem')
    .option('--initrd <file>', 'An initial RAM disk for kernels given by a path')
    .option('--jobs <number>', 'How many to run at once (default as many as processors)')
    .option(
      '--kernels <list>',
      'host, debian:VERSION, debian:SUITE or paths of kernels, separated by commas (default "host")',
      'host',
    )
    .option('--memory <bytes>', 'Memory of each virtual machine, 128m or more (default "2g")')
    .option('--modules <path>', 'Folder of the modules of kernels given by a path')
    .option('--out <path>', 'Folder for matrix.json, matrix.md and matrix.html (default "matrix")', 'matrix')
    .option('-q, --quiet', 'Say nothing on the way')
    .option('--withhold <list>', 'Modules that the kernels of virtual machines do without', '')
    .action(async (old: string | undefined, now: string | undefined, flags: MatrixFlags) => {
      // 1 says that something failed, or is worse: for programs that read it, nothing else may.
      await withExitCode(NOTHING_DONE, async () => {
        if (flags.diff === true) return await compare(old, now, context);
        if (old !== undefined) {
          throw usageError(
            `'${context.commandPath}' takes two files with --diff, and no arguments without it`,
          );
        }
        await run(await requestOf(flags, context), flags.quiet === true);
      });
    });
}

/** Gives errors that have no exit code of their own this one. */
async function withExitCode(exitCode: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof TsengineError) || error.exitCode !== undefined) throw error;
    throw new TsengineError(error.code, error.message, { cause: error, exitCode });
  }
}

async function compare(
  old: string | undefined,
  now: string | undefined,
  { commandPath }: CommandContext,
): Promise<void> {
  if (old === undefined || now === undefined) {
    throw usageError(`'${commandPath} --diff' takes two files: the old matrix.json and the new one`);
  }
  const { readMatrix } = await import('../../lab/matrix/matrix-file.ts');
  const { areComparable, diffMatrices, diffText, hasRegression } = await import('../../lab/matrix/diff.ts');
  const [before, after] = [readMatrix(old), readMatrix(now)];
  if (!areComparable(before, after)) {
    const names = [before, after].map(({ kernels }) => kernels.map(({ name }) => name).join(', ') || 'none');
    throw new TsengineError(
      'InvalidParameter',
      `${old} and ${now} share no kernel, so that there is nothing to compare: one has ${names.join(', the other ')}`,
    );
  }
  const changes = diffMatrices(before, after);
  writeOutNow(1, diffText(changes));
  if (hasRegression(changes)) process.exitCode = 1;
}

async function requestOf(flags: MatrixFlags, { commandPath }: CommandContext): Promise<MatrixRequest> {
  const { chosenBackings, chosenDrivers } = await import('../../lab/matrix/cells.ts');
  const { kernelChoice } = await import('../../lab/matrix/kernel-names.ts');
  const kernels = nameList('--kernels', flags.kernels);
  if (kernels.length === 0) throw usageError('--kernels names no kernel: give host or debian:VERSION');
  for (const name of kernels) parseFlag('--kernels', flags.kernels, () => kernelChoice(name));
  const { modules, initrd } = flags;
  for (const [flag, value] of Object.entries({ modules, initrd }))
    if (value !== undefined && !kernels.some((name) => name.includes('/')))
      throw usageError(`--${flag} goes with a kernel of your own, given by its path: --kernels has none`);
  if (flags.withhold !== '' && kernels.every((name) => name === 'host'))
    throw usageError(
      '--withhold is for virtual machines: --kernels names only this machine, which keeps its modules',
    );
  const withheldModules = nameList('--withhold', flags.withhold);
  const { mustBeWithholdable } = await import('../../lab/withheld.ts');
  parseFlag('--withhold', flags.withhold, () => mustBeWithholdable(withheldModules));
  const names = nameList('--drivers', flags.drivers);
  const drivers = await chosenDrivers(names).catch((error: unknown) =>
    parseFlag('--drivers', flags.drivers, () => {
      throw error;
    }),
  );
  const backings = parseFlag('--backing', flags.backing, () =>
    chosenBackings(nameList('--backing', flags.backing)),
  );
  const { memory } = flags;
  const { mustBeEnough } = await import('../../lab/memory.ts');
  return {
    kernels,
    drivers,
    backings,
    ownParts: { ...(modules === undefined ? {} : { modules }), ...(initrd === undefined ? {} : { initrd }) },
    slow: flags.full === true,
    out: flags.out,
    fresh: flags.fresh === true,
    limitMs: positiveWhole('--cell-timeout', flags.cellTimeout, MOST_CELL_SECONDS) * 1000,
    parallel: flags.jobs === undefined ? undefined : positiveWhole('--jobs', flags.jobs),
    memory:
      memory === undefined
        ? undefined
        : parseFlag('--memory', memory, () => {
            const bytes = ramInBytes(memory);
            mustBeEnough(bytes);
            return bytes;
          }),
    withheldModules,
    command: commandOf(flags, commandPath),
  };
}

/** The command as somebody else would give it: without what belongs to this machine. */
function commandOf(flags: MatrixFlags, commandPath: string): string {
  const words = [commandPath, `--kernels ${flags.kernels}`];
  if (flags.drivers !== '') words.push(`--drivers ${flags.drivers}`);
  if (flags.backing !== '') words.push(`--backing ${flags.backing}`);
  if (flags.full === true) words.push('--full');
  if (flags.withhold !== '') words.push(`--withhold ${flags.withhold}`);
  if (flags.memory !== undefined) words.push(`--memory ${flags.memory}`);
  if (flags.cellTimeout !== CELL_SECONDS) words.push(`--cell-timeout ${flags.cellTimeout}`);
  return words.join(' ');
}

async function run(request: MatrixRequest, quiet: boolean): Promise<void> {
  const { runMatrix } = await import('../../lab/matrix/run-matrix.ts');
  const { writeMatrix } = await import('../../lab/matrix/matrix-file.ts');
  const { hasFailures, summaryText } = await import('../../lab/matrix/summary.ts');
  const interrupt = new AbortController();
  const stop = (): void => interrupt.abort(interrupted());
  // The second of the same sort ends us at once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
  using progress = showMatrixProgress(quiet);
  const matrix = await runMatrix({ ...request, signal: interrupt.signal }, progress.listener);
  progress.clear();
  if (matrix.kernels.every(({ cells }) => cells.length === 0)) {
    const reasons = matrix.kernels.map(({ name, error }) => `${name}: ${error ?? 'no cells'}`);
    throw new TsengineError('Unavailable', `nothing ran, and nothing is written: ${reasons.join('; ')}`);
  }
  const files = await writeMatrix(matrix, request.out);
  const paths = `written: ${files.json}, ${files.markdown}, ${files.html}\n`;
  writeOutNow(1, `${summaryText(matrix)}${paths}`);
  if (hasFailures(matrix)) process.exitCode = 1;
}

function interrupted(): TsengineError {
  const message = 'interrupted: what is done is kept, and the same command goes on from there';
  return new TsengineError('System', message, { exitCode: INTERRUPTED });
}
