/** The table of the README, made of a result: `npm run bench -- --readme docs/bench/repository.json`. */
import { TsengineError } from '../src/errors.ts';
import { type Conclusion, conclude, type Figure } from './comparison.ts';
import type { RepositoryResult } from './schema.ts';
import { bytesText, factorText, oneLine, spreadText, valueText } from './suite/report/wording.ts';
import { CONFIDENCE, type Estimate, ratioEstimate } from './suite/statistics.ts';

/** What stands around it. */
const [BEGIN, END] = ['<!-- the table of npm run bench -->', '<!-- end of the table -->'];

/** A row: a comparison and its floor. A comparison that a result lacks is left out. */
interface Row {
  readonly comparison: string;
  readonly title: string;
  readonly floor?: string;
}

const ROWS: readonly Row[] = [
  { comparison: 'run', title: '`run --rm --network none busybox true`', floor: 'runc alone' },
  { comparison: 'detached', title: '`run -d`, then `rm -f`' },
  { comparison: 'load', title: '`load` of 448 MB in one layer', floor: 'tar -x' },
  { comparison: 'load-gzip', title: 'the same with the layer in gzip', floor: 'tar -x' },
  { comparison: 'diff', title: '`diff` of 1 700 changes' },
  { comparison: 'commit', title: '`commit` of them' },
  { comparison: 'images', title: '`images`, 500 of them' },
  { comparison: 'ps', title: '`ps -a`, 1 000 containers' },
  {
    comparison: 'create-vfs-btrfs',
    title: '`create` on vfs over btrfs, 10 000 files',
    floor: 'cp -a --reflink=auto',
  },
  { comparison: 'harness', title: 'nothing: what the harness itself takes', floor: 'a static true' },
];

/** The table with what was measured, of which commit, where and when, between its two marks. */
export function readmeTable(result: RepositoryResult): string {
  const rows = ROWS.flatMap((row) => {
    const found = result.comparisons.find(
      ({ name, machine }) => name === row.comparison && machine === 'host',
    );
    return found === undefined ? [] : [{ row, found, conclusion: conclude(found) }];
  });
  const withPodman = rows.some(({ conclusion }) => figureOf(conclusion, 'podman') !== undefined);
  const head = [
    '',
    'tsengine',
    'Docker',
    ...(withPodman ? ['podman'] : []),
    'floor',
    'to Docker',
    'to the floor',
  ];
  const lines = rows.map(({ row, found, conclusion }) => {
    const { floor } = row;
    const median = (series: string): string => {
      const figure = figureOf(conclusion, series);
      return figure === undefined ? '' : valueText(figure.median.value, found.unit);
    };
    const valuesOf = (series: string): number[] =>
      found.series.find(({ name }) => name === series)?.samples.map(({ value }) => value) ?? [];
    const ratioTo = (series: string): string => {
      const [values, baseline] = [valuesOf('tsengine'), valuesOf(series)];
      return values.length === 0 || baseline.length === 0 ? '' : ratioText(ratioEstimate(values, baseline));
    };
    return [
      // Of a try the lists and layers are smaller than the row says.
      result.quick ? found.title : row.title,
      median('tsengine'),
      median('docker'),
      ...(withPodman ? [median('podman')] : []),
      floor === undefined ? '' : `${floor} ${median(floor)}`,
      ratioTo('docker'),
      floor === undefined ? '' : ratioTo(floor),
    ];
  });
  const table = [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
  return [BEGIN, provenance(result), '', ...table, END].join('\n');
}

function figureOf({ figures }: Conclusion, series: string): Figure | undefined {
  return figures.find(({ name }) => name === series);
}

/** With an asterisk where there are too few values for 95 %. */
function ratioText(ratio: Estimate): string {
  return `${factorText(ratio.value)} ${spreadText(ratio)}${ratio.confidence < CONFIDENCE ? '*' : ''}`;
}

/** Whence the figures are. */
function provenance(result: RepositoryResult): string {
  const { tsengine, commit, started, runs, quick, machines, command } = result;
  const [host] = machines;
  const where =
    host === undefined
      ? 'an unknown machine'
      : `${host.processors} × ${host.processor}, ${bytesText(host.memory)}, Linux ${host.kernel}, stores on ${host.disk.filesystem ?? 'an unknown filesystem'}`;
  const programs = ['docker', 'podman', 'runc', 'node'].flatMap((name) => {
    const version = host?.versions[name];
    return version === undefined || version === 'none' ? [] : [`${name} ${version}`];
  });
  const text = [
    `tsengine ${tsengine} of commit ${commit}, measured on ${started.slice(0, 10)} by \`${command}\`${quick ? ' (a try, not for figures)' : ''}:`,
    `${where}; ${programs.join(', ')}.`,
    `Medians of ${runs} runs${quick ? '' : ', of three and four times as many where it is short'}; ratios with their 95 % interval (with an asterisk: of too few runs).`,
    disturbance(result),
  ];
  return oneLine(text.join(' '));
}

/** How much of it others disturbed. */
function disturbance({ comparisons }: RepositoryResult): string {
  const samples = comparisons.flatMap(({ series }) => series.flatMap((one) => one.samples));
  const disturbed = samples.filter(({ disturbed: by = [] }) => by.length > 0).length;
  return `Something else disturbed ${disturbed} of the ${samples.length} samples.`;
}

/** The README with the table of a result in the place of its own. Fails where it has no place for one. */
export function withTable(readme: string, result: RepositoryResult): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin)
    throw new TsengineError('InvalidParameter', `the README has no lines ${BEGIN} and ${END}`);
  return `${readme.slice(0, begin)}${readmeTable(result)}${readme.slice(end + END.length)}`;
}
