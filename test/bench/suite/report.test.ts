/** The forms of a report that need no browser: Markdown, the text of the page, charts, what a terminal shows. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { chartsOf, toRaw } from '../../../bench/suite/report/charts.ts';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import { reportPage } from '../../../bench/suite/report/html.ts';
import { looksOf } from '../../../bench/suite/report/looks.ts';
import { reportMarkdown } from '../../../bench/suite/report/markdown.ts';
import { repeatCommand } from '../../../bench/suite/report/repeat.ts';
import { reportOf } from '../../../bench/suite/report/report.ts';
import { summaryText, writtenText } from '../../../bench/suite/report/summary.ts';
import {
  bytesText,
  digits,
  factorText,
  subjectNames,
  valueText,
} from '../../../bench/suite/report/wording.ts';
import { writeReport } from '../../../bench/suite/report/write-report.ts';
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

  test('of a full run of twelve subjects is a page of less than 2 MB', () => {
    const page = reportPage(reportOf(made([''], 'full')));
    assert.ok(Buffer.byteLength(page) < 2_000_000, `${Buffer.byteLength(page)} bytes`);
  });

  test('has every figure with its spread, the verdicts and the command in the Markdown', () => {
    const report = reportOf(made(['small.untar']));
    const text = reportMarkdown(report, new Map());
    const figure = /\| (?:[\d.]+ ms \([\d.]+ ms to [\d.]+ ms\) ?\|? ?){12}/;
    assert.match(text.replaceAll('\\', ''), figure);
    assert.match(text, /^- \*\*unpacking a source tree\*\*: aufs 1\.\d\d times /m);
    assert.match(text, /^ {4}tsengine bench --quick --seed 1 --workloads small\.untar$/m);
    assert.match(text, /^\| 13 \| .* \| \*\*not measurable here\*\* \|/m);
    assert.match(summaryText(report), /^claims of the literature, not measurable here: 1, 2, 3/m);
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
      /^12 of 24 figures have too few values for an interval of 95 %\.$/m,
      /^12 of 24 figures are not whole, because something failed\.$/m,
      /^debian:6\.1 is a virtual machine/m,
    ])
      assert.match(said, words);
    const text = reportMarkdown(report, new Map());
    assert.match(text, / ms\\?\)\\~ \|/);
    assert.match(text, / ms\\?\)\\\*, failed: no space left \|/);
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
