import type { Command } from 'commander';
import type { Result } from '../../../bench/suite/schema.ts';
import { DRIVER_NAMES } from '../../drivers/registry.ts';
import { TsengineError } from '../../errors.ts';
import { shellWord } from '../../linux/command.ts';
import { showBenchProgress } from '../bench-progress.ts';
import type { CommandContext } from '../command.ts';
import { parseFlag, usageError } from '../flags/flag-error.ts';
import { nameList } from '../flags/name-list.ts';
import { ramInBytes } from '../format/units.ts';
import { named, untilInterrupted } from '../lab-flags.ts';
import { writeOutNow } from '../output.ts';

interface BenchFlags {
  readonly budget?: string;
  readonly drivers?: string;
  readonly fresh?: boolean;
  readonly full?: boolean;
  readonly on?: string;
  readonly out: string;
  readonly peer?: string;
  readonly quick?: boolean;
  readonly quiet?: boolean;
  readonly seed: string;
  readonly selfTest?: boolean;
  readonly size?: string;
  readonly workloads?: string;
}

/** Minutes that a run may take where no --budget says so. */
const BUDGETS = { quick: 5, usual: 60, full: 600 } as const;

const PEERS = ['docker', 'podman'] as const;

const ABOUT = `Each driver gets a fresh store of its own on the disk of --on, made and taken away by this
command, and so does the filesystem without a driver, which is the measure of all. Runs are
interleaved in random order and repeated until the 95 % interval of each median is within 5 %
or --budget is over. A driver that this kernel lacks runs in a machine of the lab, and is
compared with the filesystem in the same machine.

What is done is kept in --out: after Ctrl-C, which writes what there is, or a crash, the same
command goes on from there. In --out are then result.json, and the report of it.

tsengine bench list says what there is for --workloads, by groups and by names.

Examples:
  tsengine bench --quick
  tsengine bench --drivers overlay2,btrfs --workloads copy-up,small-files --budget 20m
  tsengine bench --on /mnt/disk --size 64m,1g --workloads large-files --peer docker
  tsengine bench --full --out full

Exit code: 0 when there is a result; 125 when there is none; 130 after Ctrl-C.`;

/** `tsengine bench`: all drivers side by side on one's own disk. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .description(ABOUT)
    .option(
      '--budget <time>',
      'Time for all of it: 90s, 20m, 2h (default 5m with --quick, 10h with --full, else 1h)',
    )
    .option(
      '--drivers <list>',
      `Storage drivers, separated by commas: ${DRIVER_NAMES.join(', ')} (default all)`,
    )
    .option('--fresh', 'Throw away what an unfinished run left in --out')
    .option('--full', 'Everything: all sizes up to 4 GiB, 500 layers, 100 000 files')
    .option('--on <path>', 'Folder on the disk that is measured (default that of --out)')
    .option('--out <path>', 'Folder for the results (default "tsengine-bench")', 'tsengine-bench')
    .option('--peer <list>', `Engines to measure beside ours: ${PEERS.join(', ')}`)
    .option('--quick', 'A useful answer about the drivers that this kernel has, in 5 minutes')
    .option('-q, --quiet', 'Say nothing on the way, and in the end only what was written')
    .option('--seed <number>', 'Decides the order of runs (default 1)', '1')
    .option('--self-test', 'Measure each driver twice, and one slowed down, to see that the report tells')
    .option('--size <list>', 'Sizes of large files, separated by commas, as 64m,1g')
    .option('--workloads <list>', 'Groups, names or beginnings of names of workloads (default all)')
    .action(async (flags: BenchFlags) => {
      await run(flags, context);
    });
}

async function run(flags: BenchFlags, { commandPath }: CommandContext): Promise<void> {
  if (flags.quick === true && flags.full === true)
    throw usageError(
      '--quick and --full exclude each other: one is a part of everything, the other all of it',
    );
  const extent = flags.quick === true ? 'quick' : flags.full === true ? 'full' : 'usual';
  const out = parseFlag('--out', flags.out, named('it must name a folder'));
  const on = parseFlag('--on', flags.on ?? out, named('it must name a folder'));
  const drivers = flags.drivers === undefined ? undefined : driversOf(flags.drivers);
  const workloads = flags.workloads === undefined ? [] : nameList('--workloads', flags.workloads);
  await mustBeWorkloads(flags.workloads, workloads);
  let words = '';
  const request = {
    selection: { extent, workloads, sizes: sizesOf(flags.size) },
    drivers,
    peers: peersOf(flags.peer),
    isSelfTest: flags.selfTest === true,
    budgetMs:
      flags.budget === undefined ? BUDGETS[extent] * 60_000 : parseFlag('--budget', flags.budget, duration),
    ...{ out, on, seed: parseFlag('--seed', flags.seed, seedOf), fresh: flags.fresh === true },
    command: commandOf(flags, commandPath),
    writeReport: async (result: Result, folder: string) => {
      const { reportOf } = await import('../../../bench/suite/report/report.ts');
      const { writeReportOf } = await import('../../../bench/suite/report/write-report.ts');
      const { summaryText } = await import('../../../bench/suite/report/summary.ts');
      const report = reportOf(result);
      words = summaryText(report);
      return await writeReportOf(report, folder);
    },
  } as const;
  const { runSuite } = await import('../../../bench/suite/measure/run-suite.ts');
  using progress = showBenchProgress(flags.quiet === true, request.budgetMs);
  let interrupted: unknown;
  const { result, files } = await untilInterrupted(async (signal) => {
    const end = await runSuite({ ...request, signal }, progress.listener);
    if (signal.aborted) interrupted = signal.reason;
    return end;
  }, 'what is done is written, and the same command goes on from there');
  progress.clear();
  const { writtenText } = await import('../../../bench/suite/report/summary.ts');
  writeOutNow(1, `${flags.quiet === true ? '' : `${summaryOf(result)}${words}`}${writtenText(files)}`);
  if (interrupted !== undefined) throw interrupted;
  if (result.series.every(({ samples }) => samples.length === 0)) {
    const reason = result.series.find(({ error }) => error !== undefined)?.error ?? 'there was no time';
    throw new TsengineError('Unavailable', `nothing was measured: ${reason}`);
  }
}

function summaryOf({ series, subjects, seconds }: Result): string {
  const samples = series.reduce((sum, one) => sum + one.samples.length, 0);
  const failed = series.filter(({ error }) => error !== undefined).length;
  const without = failed === 0 ? '' : `, ${failed} series without all of their values`;
  return `${samples} values in ${series.length} series of ${subjects.length} subjects in ${seconds} s${without}\n`;
}

function driversOf(text: string) {
  return [...new Set(nameList('--drivers', text))].map((name) =>
    parseFlag('--drivers', text, () => {
      const found = DRIVER_NAMES.find((driver) => driver === name);
      if (found !== undefined) return found;
      throw new TsengineError('InvalidParameter', `it must be of ${DRIVER_NAMES.join(', ')}, not ${name}`);
    }),
  );
}

function peersOf(text: string | undefined) {
  const names = text === undefined ? [] : nameList('--peer', text);
  return [...new Set(names)].map((name) =>
    parseFlag('--peer', text ?? '', () => {
      const found = PEERS.find((peer) => peer === name);
      if (found !== undefined) return found;
      throw new TsengineError('InvalidParameter', `it must be of ${PEERS.join(', ')}, not ${name}`);
    }),
  );
}

async function mustBeWorkloads(text: string | undefined, names: readonly string[]): Promise<void> {
  if (text === undefined) return;
  const { chosenWorkloads } = await import('../../../bench/suite/measure/blocks.ts');
  for (const name of names)
    parseFlag('--workloads', text, () => {
      if (chosenWorkloads({ workloads: [name] }).length === 0)
        throw new TsengineError('InvalidParameter', `there is no workload ${name}: see tsengine bench list`);
    });
}

/** Sizes that files may have: fio works in blocks of 4 KiB, and no store has more. */
const [LEAST_SIZE, MOST_SIZE] = [1024 ** 2, 64 * 1024 ** 3];

function sizesOf(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  const sizes = nameList('--size', text).map((word) => parseFlag('--size', text, () => sizeOf(word)));
  return [...new Set(sizes)].sort((a, b) => a - b);
}

function sizeOf(word: string): number {
  const bytes = ramInBytes(word);
  if (bytes >= LEAST_SIZE && bytes <= MOST_SIZE && bytes % 4096 === 0) return bytes;
  throw new TsengineError('InvalidParameter', 'a file has 1m to 64g, and whole blocks of 4096 bytes');
}

function duration(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(text) ?? [];
  const ms = Number(number) * { s: 1000, m: 60_000, h: 3_600_000 }[unit === 'm' || unit === 'h' ? unit : 's'];
  // Two weeks: more is a slip, and more than Node's timers can count.
  if (number !== '' && ms >= 1000 && ms <= 14 * 86_400_000) return ms;
  throw new TsengineError('InvalidParameter', 'it must be a time from 1s to 336h, as 90s, 20m or 2h');
}

function seedOf(text: string): number {
  if (/^\d+$/.test(text) && Number(text) < 2 ** 32) return Number(text);
  throw new TsengineError('InvalidParameter', 'it must be a whole number below 4294967296');
}

/** The command as somebody else would give it: all that makes it another run, the disk too, and nothing of where it is written. */
function commandOf(flags: BenchFlags, commandPath: string): string {
  const words = [commandPath];
  if (flags.quick === true) words.push('--quick');
  if (flags.full === true) words.push('--full');
  if (flags.selfTest === true) words.push('--self-test');
  for (const name of ['drivers', 'workloads', 'size', 'peer', 'budget', 'on'] as const) {
    const value = flags[name];
    if (value !== undefined) words.push(`--${name}`, shellWord(value));
  }
  if (flags.seed !== '1') words.push('--seed', shellWord(flags.seed));
  return words.join(' ');
}
