/** The forms of a report that need no browser: Markdown, the text of the page, charts, what a terminal shows. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { compareResults } from '../../../bench/suite/compare/compare.ts';
import { noTime } from '../../../bench/suite/measure/no-time.ts';
import { chartsOf, toRaw } from '../../../bench/suite/report/charts.ts';
import { judgeClaims } from '../../../bench/suite/report/claims/claims.ts';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import { reportPage } from '../../../bench/suite/report/html.ts';
import { looksOf } from '../../../bench/suite/report/looks.ts';
import { reportMarkdown } from '../../../bench/suite/report/markdown.ts';
import { claimCommand, repeatCommand } from '../../../bench/suite/report/repeat.ts';
import { type Report, reportOf } from '../../../bench/suite/report/report.ts';
import { summaryText, writtenText } from '../../../bench/suite/report/summary.ts';
import { thinResult } from '../../../bench/suite/report/thin.ts';
import {
  bytesText,
  digits,
  factorText,
  figureText,
  subjectNames,
  timesText,
  valueText,
} from '../../../bench/suite/report/wording.ts';
import { writeReport } from '../../../bench/suite/report/write-report.ts';
import { parseResult, resultText } from '../../../bench/suite/result-file.ts';
import type { Result } from '../../../bench/suite/schema.ts';
import {
  HOSTILE,
  hostileResult,
  literature,
  machine,
  madeResult,
  subject,
} from '../../helpers/bench-results.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-report-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const drivers = ['overlay2@ext4', 'vfs@ext4', 'vfs@xfs', 'btrfs@btrfs', 'devicemapper@thin', 'aufs@ext4'];
const raws = ['raw@ext4', 'raw@xfs', 'raw@btrfs', 'raw@thin'];
const far = ['raw@zfs+debian:6.1', 'zfs@zfs+debian:6.1'];
const subjects = [...raws, ...drivers, ...far].map((id) => subject(id));
const machines = [machine(), machine({ id: 'debian:6.1', isVirtual: true })];
const made = (workloads: readonly string[], extent: 'quick' | 'full' = 'quick'): Result =>
  madeResult({ subjects, machines, workloads, truth: literature, extent, samples: 7 });

describe('figures in words', () => {
  test('have three digits and the unit that is near', () => {
    const said = [0, 0.0123, 1.234, 12.34, 123.4, 12345, 1e20].map(digits);
    assert.deepEqual(said, ['0', '0.012', '1.23', '12.3', '123', '12345', '1.00e+20']);
    const sizes = [0, 100, 1024, 1536, 64 * 2 ** 20, -(2 ** 21), 1.3 * 2 ** 30].map(bytesText);
    assert.deepEqual(sizes, ['0 B', '100 B', '1 KiB', '1.50 KiB', '64 MiB', '-2 MiB', '1.30 GiB']);
    const times = [0.0456, 3.21, 9999, 45_000].map((value) => valueText(value, 'ms'));
    assert.deepEqual(times, ['45.6 µs', '3.21 ms', '9999 ms', '45.0 s']);
    assert.deepEqual([valueText(12_345, 'ops/s'), valueText(2 ** 20, 'bytes/s')], ['12.3k ops/s', '1 MiB/s']);
    assert.deepEqual([1.8, 0.05, 12.34, 512.3].map(factorText), ['1.80', '0.050', '12.3', '512']);
  });

  test('have their spread in the same unit, and say where there is none', () => {
    const of = (value: number, low: number, high: number, confidence = 0.97) => ({
      value,
      low,
      high,
      confidence,
    });
    assert.equal(figureText(of(12.3, 11.9, 12.84), 'ms'), '12.3 ms (11.9 to 12.8)');
    assert.equal(figureText(of(1, 0.99, 1.1), 'ms'), '1.00 ms (990 µs to 1.10 ms)');
    assert.equal(figureText(of(12_345, 11_000, 13_000), 'ops/s'), '12.3k ops/s (11.0k to 13.0k)');
    assert.equal(figureText(of(3, 2, 4), 'count'), '3.00 (2.00 to 4.00)');
    assert.equal(figureText(of(12, 12, 12, 0), 'ms'), '12.0 ms (one value)');
    assert.equal(figureText(of(12, 12, 12), 'ms'), '12.0 ms (12.0 to 12.0)');
    assert.equal(timesText(of(1.8, 1.6, 2)), '1.80 times (1.60 to 2.00)');
    assert.equal(timesText(of(1.8, 1.8, 1.8, 0)), '1.80 times (one value each)');
  });

  test('name subjects as briefly as is clear, and what stands in for them', () => {
    const list = [...subjects, subject('zfs@zfs2', { driver: 'other', standIn: 'zfs-fuse' })];
    const name = subjectNames(list);
    const names = list.slice(4).map(name);
    assert.deepEqual(names, [
      ...['overlay2', 'vfs@ext4', 'vfs@xfs', 'btrfs', 'devicemapper', 'aufs'],
      ...['raw@zfs+debian:6.1', 'zfs', 'other (zfs-fuse)'],
    ]);
  });
});

test('the command that repeats a figure is that of the run, with its workload and its driver', () => {
  const [overlay2, raw] = [subject('overlay2@ext4'), subject('raw@ext4')];
  const of = (command: string, one = overlay2): string =>
    repeatCommand({ ...made(['small.untar']), command }, 'small.untar', one);
  assert.equal(
    of("tsengine bench --quick --drivers overlay2,vfs --workloads='a b' --seed 1"),
    'tsengine bench --quick --seed 1 --drivers overlay2 --workloads small.untar',
  );
  assert.equal(
    of('tsengine bench --drivers vfs', raw),
    'tsengine bench --drivers vfs --workloads small.untar',
  );
  assert.equal(
    of("tsengine bench --drivers 'a'\\''b' -x"),
    'tsengine bench -x --drivers overlay2 --workloads small.untar',
  );
  assert.match(repeatCommand(made(['harness']), "it's; rm"), / --workloads 'it'\\''s; rm'$/);
});

test('the command that repeats a figure of another engine has that engine, and of ours none', () => {
  const of = (one: ReturnType<typeof subject>): string =>
    repeatCommand(
      { ...made(['small.untar']), command: 'tsengine bench --peer docker --quick' },
      'small.untar',
      one,
    );
  const docker = subject('docker-overlay2@ext4', { kind: 'peer', engine: 'docker', driver: 'overlay2' });
  assert.equal(of(docker), 'tsengine bench --quick --drivers overlay2 --peer docker --workloads small.untar');
  assert.equal(
    of(subject('overlay2@ext4')),
    'tsengine bench --quick --drivers overlay2 --workloads small.untar',
  );
  // A claim on all that was measured.
  assert.equal(
    repeatCommand({ ...made([]), command: 'tsengine bench --workloads small --quick' }, ''),
    'tsengine bench --workloads small --quick',
  );
});

test('the command of a claim measures the drivers that it lacks as well', () => {
  const claims = (ids: readonly string[]) => {
    const result = {
      ...madeResult({
        subjects: ids.map((id) => subject(id)),
        workloads: ['layers.build'],
        truth: literature,
      }),
    };
    const command = `tsengine bench --drivers ${ids.map((id) => id.split('@')[0]).join(',')} --quick`;
    return judgeClaims(figuresOf(result)).map((claim) => claimCommand({ ...result, command }, claim));
  };
  assert.equal(claims(['overlay2@ext4', 'vfs@ext4'])[9], 'tsengine bench --quick --workloads layers.build');
  assert.equal(
    claims(['overlay2@ext4', 'btrfs@btrfs'])[9],
    'tsengine bench --drivers overlay2,btrfs --quick --workloads layers.build',
  );
});

describe('words in a terminal', () => {
  test('are what to choose for what, and the claims in short', () => {
    const lines = summaryText(reportOf(made(['layers.build']))).split('\n');
    assert.ok(lines.includes('What to choose for what:'));
    assert.ok(
      lines.some((line) => /^ {2}building images of many small layers: btrfs [12]\.\d\d times /.test(line)),
    );
    const claims = lines.slice(lines.findIndex((line) => line.startsWith('What the literature says: ')));
    assert.deepEqual(claims, [
      'What the literature says: 1 holds, 12 are not measurable here',
      '  holds: 10. btrfs builds images efficiently',
      '  not measurable here: 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13',
      '',
    ]);
    assert.ok(lines.some((line) => line.startsWith('† measured on another machine')));
    const here = { subjects: subjects.filter((one) => one.machine === 'host'), workloads: ['small.untar'] };
    assert.doesNotMatch(summaryText(reportOf(madeResult({ ...here, truth: literature }))), /†/);
  });
});

describe('charts', () => {
  test('go along the scale of most values, one for each value of the others', () => {
    const groups = chartsOf(
      figuresOf(made(['copy-up.byte.latency', 'small.untar', 'large.read.seq.cold'], 'full')),
    );
    const said = groups.map(({ workload, scale, values, charts }) => [
      workload.id,
      scale,
      values.length,
      charts.map(({ rest }) => rest),
    ]);
    assert.deepEqual(said, [
      ['large.read.seq.cold', 'size', 8, [{}]],
      ['small.untar', undefined, 0, [{}]],
      ['copy-up.byte.latency', 'lower', 5, [1, 10, 50, 100].map((depth) => ({ depth }))],
    ]);
  });

  test('know each figure as a multiple of the raw filesystem’s', () => {
    const figures = figuresOf(made(['small.untar', 'small.create']));
    const ratio = (id: string, workload: string): number | undefined => {
      const [figure] = figures.of(id, workload);
      return figure === undefined ? undefined : toRaw(figures, figure)?.value;
    };
    assert.ok(Math.abs((ratio('zfs@zfs+debian:6.1', 'small.untar') ?? 0) - 1 / 0.6) < 0.1);
    assert.ok(Math.abs((ratio('aufs@ext4', 'small.create') ?? 0) - 1.2) < 0.1);
    assert.ok(Math.abs((ratio('aufs@ext4', 'small.untar') ?? 0) - 1 / 1.2) < 0.1);
    assert.equal(ratio('raw@ext4', 'small.untar'), undefined);
  });

  test('draw no two subjects alike', () => {
    const many = Array.from({ length: 42 }, (_, index) => subject(`d${index}@ext4`));
    const looks = looksOf(many).map(({ shape, dash }) => `${shape} ${dash.join(' ')}`);
    assert.equal(new Set(looks).size, 42);
  });
});

describe('a report', () => {
  test('is a page, Markdown and charts in a folder, and every chart is in the Markdown', async () => {
    const out = join(folder, 'deep/out');
    const told: string[] = [];
    const paths = await writeReport(made(['small.untar', 'layers.start', 'copy-up.byte']), out, (line) =>
      told.push(line),
    );
    assert.deepEqual(told, []);
    assert.deepEqual(paths.slice(0, 2), [`${out}/report.md`, `${out}/report.html`]);
    const charts = paths.slice(2);
    assert.equal(charts.length, 5);
    const markdown = readFileSync(`${out}/report.md`, 'utf8');
    for (const path of charts) {
      const bytes = readFileSync(path);
      assert.deepEqual(bytes.subarray(0, 8), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
      assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [960, 520]);
      assert.ok(bytes.length > 5000, `${path} shows nothing`);
      assert.ok(markdown.includes(`](${path.slice(out.length + 1)})`));
    }
    assert.match(writtenText(paths), /^written: .*report\.md, .*report\.html, 5 charts in .*\/charts\n$/);
  });

  test('of a full run of all drivers is, with its result without samples, less than 2 MB', () => {
    const stores = [
      'overlay2@ext4',
      'overlay2@xfs',
      'vfs@ext4',
      'vfs@xfs',
      'aufs@ext4',
      'aufs@xfs',
      'btrfs@btrfs',
    ];
    const lab = ['zfs@zpool', 'devicemapper@ext4', 'raw@zpool', 'raw@ext4'].map((id) => `${id}+debian:6.1`);
    const full = madeResult({
      ...{
        subjects: [...['raw@ext4', 'raw@xfs', 'raw@btrfs'], ...stores, ...lab].map((id) => subject(id)),
        machines,
      },
      ...{ workloads: [''], truth: literature, extent: 'full', samples: 6 },
    });
    const thin = thinResult(full);
    const page = Buffer.byteLength(reportPage(reportOf(thin)));
    const result = Buffer.byteLength(resultText(thin));
    assert.ok(page + result < 2_000_000, `${page} and ${result} bytes`);
  });

  test('of a result without its samples says the same, and that they are left out', () => {
    const full = made(['small', 'copy-up.byte', 'churn', 'layers.build']);
    const thin = thinResult(full);
    assert.ok(thin.series.every(({ samples }) => samples.length === 0));
    const [before, after] = [reportOf(full), reportOf(thin)];
    // But for the last digit of what was rounded twice.
    const said = ({ advice, claims }: Report) => [
      advice.map(({ leaders, answer }) => [leaders, answer]),
      claims.map(({ verdict, figures }) => [verdict, figures.map(({ answer }) => answer)]),
    ];
    assert.deepEqual(said(after), said(before));
    for (const [index, { median, samples, disturbed, turns, values }] of before.figures.list.entries()) {
      const other = after.figures.list[index];
      assert.ok(other !== undefined);
      assert.deepEqual([other.samples, other.disturbed, other.turns], [samples, disturbed, turns]);
      assert.equal(other.values.length, values.length);
      for (const end of ['value', 'low', 'high'] as const)
        assert.ok(Math.abs(other.median[end] - median[end]) <= 1e-4 * Math.abs(median[end]));
    }
    assert.equal(after.cautions.length, before.cautions.length + 1);
    assert.deepEqual(thinResult(thin), thin);
    const { changes } = compareResults(full, thin);
    assert.ok(changes.every(({ sort }) => sort === 'same' || sort === 'open'));
    assert.deepEqual(parseResult(JSON.parse(resultText(thin)), 'thin.json'), thin);
  });

  test('that is written anew takes the charts of before with it, and nothing else', async () => {
    const out = join(folder, 'anew');
    const charts = join(out, 'charts');
    await writeReport(made(['small.untar', 'small.walk']), out);
    const chart = readFileSync(`${charts}/small.walk.png`);
    // Somebody's own picture, a copy for slides, a link, and a folder.
    writeFileSync(`${charts}/mine.png`, 'no chart at all');
    writeFileSync(`${charts}/for-slides.png`, chart);
    writeFileSync(`${charts}/note.txt`, 'x');
    symlinkSync('small.untar.png', `${charts}/linked.png`);
    mkdirSync(`${charts}/more.png`);
    const kept = ['for-slides.png', 'linked.png', 'mine.png', 'more.png', 'note.txt'];
    await writeReport(made(['small.untar', 'small.stat']), out);
    assert.deepEqual(readdirSync(charts).sort(), [...kept, 'small.stat.png', 'small.untar.png']);
    const nothing: Result = { ...made([]), series: [] };
    await writeReport(nothing, out);
    assert.deepEqual(readdirSync(charts).sort(), kept);
    // Where nothing but ours was in it the folder goes as well.
    const alone = join(folder, 'alone');
    await writeReport(made(['small.untar']), alone);
    assert.ok(existsSync(join(alone, 'charts')));
    await writeReport(nothing, alone);
    assert.ok(!existsSync(join(alone, 'charts')));
  });

  test('has every figure with its spread, the verdicts and the command in the Markdown', () => {
    const report = reportOf(made(['small.untar']));
    const text = reportMarkdown(report, new Map());
    const figure = /\| (?:[\d.]+ ms \([\d.]+ to [\d.]+\), 7 samples ?\|? ?){12}/;
    assert.match(text.replaceAll('\\', ''), figure);
    assert.match(text, /^- \*\*unpacking a source tree\*\*: aufs 1\.\d\d times /m);
    assert.match(text, /^ {4}tsengine bench --quick --seed 1 --workloads small\.untar$/m);
    assert.match(text, /^\| 13 \| .* \| \*\*not measurable here\*\* \|/m);
    assert.match(text, /^ {4}tsengine bench --quick --seed 1 --workloads copy-up\.byte$/m, 'of a claim');
  });

  test('says what a reader must know: few and disturbed samples, failures, an early end, what stands in', () => {
    const plain = made(['small.untar', 'small.walk']);
    const result: Result = {
      ...plain,
      interrupted: true,
      subjects: plain.subjects.map((one) => {
        if (one.driver === 'aufs') return { ...one, standIn: 'fuse-overlayfs' };
        return one.driver === 'btrfs' ? { ...one, failed: 'mkfs.btrfs is not installed' } : one;
      }),
      series: plain.series.map((one) => {
        if (one.workload === 'small.walk')
          return { ...one, samples: one.samples.slice(0, 1), error: 'no space left' };
        return {
          ...one,
          samples: one.samples.map((sample) => ({ ...sample, disturbed: ['steal' as const] })),
        };
      }),
    };
    const report = reportOf(result);
    const said = report.cautions.join('\n');
    for (const words of [
      /^The run was ended before its time/m,
      /^btrfs could not be measured to the end: mkfs\.btrfs is not installed$/m,
      /^fuse-overlayfs stands in for aufs, which this kernel lacks/m,
      /^88 % of the samples were disturbed/m,
      /^12 of 24 figures have too few values for an interval of 95 %: a longer --budget, or fewer --workloads and --drivers, say more\.$/m,
      /^12 of 24 figures are not whole, because something failed\.$/m,
      /^debian:6\.1 is a virtual machine/m,
    ])
      assert.match(said, words);
    const text = reportMarkdown(report, new Map());
    assert.match(text, / ms \([\d.]+ to [\d.]+\)\\~, 7 samples \|/);
    assert.match(text, / ms \(one value\)\\\*, 1 sample, failed: no space left \|/);
  });

  test('says what the suite itself takes', () => {
    const report = reportOf(made(['harness']));
    const words =
      /The suite itself takes on raw@ext4 a container that measures nothing 1\d\.\d ms \([\d.]+ to [\d.]+\), one call in it [\d.]+ ms \([\d.]+ to [\d.]+\); on raw@xfs /;
    assert.match(reportPage(report), words);
    assert.match(reportMarkdown(report, new Map()).replaceAll('\\', ''), words);
    assert.doesNotMatch(reportPage(reportOf(made(['small.untar']))), /The suite itself takes/);
  });

  test('calls want of time no failure', () => {
    const plain = made(['small.untar', 'small.walk']);
    const result: Result = {
      ...plain,
      series: plain.series.map((one) =>
        one.workload === 'small.walk'
          ? { ...one, samples: [], error: noTime(0, 4) }
          : { ...one, error: noTime(2, 4) },
      ),
    };
    const report = reportOf(result);
    const said = report.cautions.join('\n');
    assert.match(said, /^There was no time for 12 of 24 figures: give more with --budget\.$/m);
    assert.doesNotMatch(said, /failed/);
    const text = reportMarkdown(report, new Map());
    assert.match(text, /\| no time \| no time \|/);
    assert.doesNotMatch(text, /failed/);
    assert.doesNotMatch(reportPage(report), /failed:/);
  });

  test('of nothing at all is one all the same', async () => {
    const nothing: Result = { ...made([]), subjects: [], machines: [], series: [] };
    const out = join(folder, 'nothing');
    assert.deepEqual(await writeReport(nothing, out), [`${out}/report.md`, `${out}/report.html`]);
    const errors: Result = {
      ...made(['small.untar']),
      series: made(['small.untar']).series.map((one) => ({ ...one, samples: [], error: 'x' })),
    };
    assert.equal((await writeReport(errors, out)).length, 2);
  });
});

describe('text of others', () => {
  test('is text in the Markdown, and leads no file astray', async () => {
    const out = join(folder, 'hostile');
    const paths = await writeReport(hostileResult(), out);
    const text = readFileSync(`${out}/report.md`, 'utf8');
    // Without what is code, in blocks and in lines.
    const prose = text.replaceAll(/^ {4}.*$/gm, '').replaceAll(/`[^`]*`/g, '');
    assert.ok(!/(?<!\\)<(script|img)/.test(prose), 'there is a tag in it');
    assert.ok(!text.includes('\x1b'));
    assert.ok(text.split('\n').every((line) => !line.startsWith('# own')));
    for (const path of paths) {
      assert.ok(path.startsWith(`${out}/`) && !path.slice(out.length).includes('..'), path);
      assert.ok(existsSync(path));
    }
  });

  test('is text in the page, which asks for nothing from anywhere', () => {
    const page = reportPage(reportOf(hostileResult()));
    assert.ok(!page.includes(HOSTILE) && !page.includes('<script>globalThis'));
    assert.doesNotMatch(page, /(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i);
    assert.doesNotMatch(page, /@import|url\(/);
    assert.match(page, /default-src &#39;none&#39;/);
    writeFileSync(join(folder, 'hostile.html'), page);
  });

  test('is one line each in a terminal', () => {
    const lines = summaryText(reportOf(hostileResult())).split('\n');
    assert.ok(lines.every((line) => !line.includes('\x1b')));
    assert.ok(lines.every((line) => !line.startsWith('# own')));
  });
});
