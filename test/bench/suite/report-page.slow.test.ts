/** The page of a report as people have it: opened in a browser, pointed at, filtered, on a phone, in the dark, on paper. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { figuresOf } from '../../../bench/suite/report/figures.ts';
import { reportPage } from '../../../bench/suite/report/html.ts';
import { reportOf } from '../../../bench/suite/report/report.ts';
import { figureText } from '../../../bench/suite/report/wording.ts';
import type { Result } from '../../../bench/suite/schema.ts';
import {
  HOSTILE,
  hostileResult,
  literature,
  machine,
  madeResult,
  subject,
} from '../../helpers/bench-results.ts';
import { openPage, type Page } from '../../helpers/chromium.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsengine-bench-page-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const here = ['raw@ext4', 'raw@btrfs', 'overlay2@ext4', 'vfs@ext4', 'btrfs@btrfs', 'aufs@ext4'];
const far = ['raw@zfs+debian:6.1', 'zfs@zfs+debian:6.1'];
const result = madeResult({
  subjects: [...here, ...far].map((id) => subject(id)),
  machines: [machine(), machine({ id: 'debian:6.1', isVirtual: true })],
  workloads: ['small', 'large.read.seq', 'copy-up', 'churn'],
  truth: literature,
  extent: 'usual',
  samples: 7,
});

function pageOf(name: string, given: Result): string {
  const path = join(folder, `${name}.html`);
  writeFileSync(path, reportPage(reportOf(given)));
  return `${pathToFileURL(path)}`;
}

const WIDER = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';

async function size(page: Page, width: number): Promise<void> {
  const metrics = { width, height: 800, deviceScaleFactor: 1, mobile: width < 500 };
  await page.call('Emulation.setDeviceMetricsOverride', metrics);
}

async function media(page: Page, kind: string, scheme: string): Promise<void> {
  const features = [{ name: 'prefers-color-scheme', value: scheme }];
  await page.call('Emulation.setEmulatedMedia', { media: kind, features });
}

/** Shows a card, and waits until its chart is drawn. */
const drawn = (workload: string): string => `(async () => {
  const card = [...document.querySelectorAll('.card')].find((one) => one.querySelector('code').textContent === '${workload}');
  card.scrollIntoView();
  while (!card.querySelector('svg')) await new Promise((done) => setTimeout(done, 20));
  await new Promise((done) => setTimeout(done, 100));
  globalThis.card = card;
  const box = card.querySelector('svg').getBoundingClientRect();
  const scale = box.width / card.querySelector('svg').viewBox.baseVal.width;
  return card.marks.map(({ row, x, y }) => ({ subject: row.subject, at: row.x, x: box.left + x * scale, y: box.top + y * scale }));
})()`;

interface Mark {
  readonly subject: number;
  readonly at: number;
  readonly x: number;
  readonly y: number;
}

function isMarks(value: unknown): value is readonly Mark[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null && 'y' in one);
}

async function marksOf(page: Page, workload: string): Promise<readonly Mark[]> {
  const marks = await page.evaluate(drawn(workload));
  assert.ok(isMarks(marks), workload);
  return marks;
}

async function pointer(page: Page, type: string, { x, y }: Mark): Promise<void> {
  const rest = type === 'mouseMoved' ? {} : { button: 'left', clickCount: 1 };
  await page.call('Input.dispatchMouseEvent', { type, x, y, ...rest });
}

const TIP = `document.getElementById('tip').hidden ? '' : [...document.getElementById('tip').children].map((one) => one.textContent).join('\\n')`;

describe('the page', () => {
  let page: Page;
  const figures = figuresOf(result);
  before(async () => {
    page = await openPage(pageOf('plain', result));
    await size(page, 1280);
  });
  after(async () => {
    await page[Symbol.asyncDispose]();
  });

  test('shows a value with its spread under the pointer, and a click the command that repeats it', async () => {
    for (const workload of ['small.untar', 'large.read.seq.cold']) {
      const marks = await marksOf(page, workload);
      const mark = marks.find((one) => result.subjects[one.subject]?.id === 'vfs@ext4');
      assert.ok(mark !== undefined);
      await pointer(page, 'mouseMoved', mark);
      const point = workload === 'small.untar' ? {} : { size: mark.at };
      const figure = figures.at('vfs@ext4', workload, point);
      assert.ok(figure !== undefined);
      const [name = '', text = '', samples = '', raw = ''] = String(await page.evaluate(TIP)).split('\n');
      // Points lie on one another: what is shown is one of those under the pointer.
      if (workload === 'small.untar') {
        assert.deepEqual([name, text], ['vfs', figureText(figure.median, figure.workload.unit)]);
      } else {
        assert.match(name, /^[\w@]+, size of the file 64 MiB$/);
        assert.match(text, /^[\d.]+ MiB\/s \([\d.]+ to [\d.]+\)$/);
      }
      assert.equal(samples, '7 samples');
      if (workload === 'small.untar')
        assert.match(raw, /^\d\.\d\d times \([\d.]+ to [\d.]+\) the raw filesystem$/);
      await pointer(page, 'mousePressed', mark);
      await pointer(page, 'mouseReleased', mark);
      const said = await page.evaluate(`card.querySelector('output').textContent`);
      if (workload === 'small.untar')
        assert.equal(
          said,
          'vfs again: tsengine bench --quick --seed 1 --drivers vfs --workloads small.untar',
        );
      else assert.match(String(said), / again: tsengine bench .*--workloads large\.read\.seq\.cold$/);
    }
    await pointer(page, 'mouseMoved', { subject: 0, at: 0, x: 2, y: 2 });
    assert.equal(await page.evaluate(TIP), '');
  });

  test('has the names of its lines below a chart, and intervals beside one another', async () => {
    const marks = await marksOf(page, 'large.read.seq.cold');
    const names = await page.evaluate(
      `[...card.querySelectorAll('.legend span')].map((one) => one.textContent)`,
    );
    assert.deepEqual(names, [
      'raw@ext4',
      'raw@btrfs',
      'overlay2',
      'vfs',
      'btrfs',
      'aufs',
      'raw@zfs+debian:6.1',
      'zfs',
    ]);
    const first = marks.filter(({ at }) => at === 64 * 2 ** 20).map(({ x }) => Math.round(x * 100));
    assert.equal(new Set(first).size, result.subjects.length);
    await marksOf(page, 'small.untar');
    assert.equal(await page.evaluate(`card.querySelector('.legend')`), null, 'bars have names');
  });

  test('can be read with the keyboard', async () => {
    await marksOf(page, 'small.untar');
    await page.evaluate(`card.querySelector('svg').focus()`);
    const press = async (key: string): Promise<string> => {
      await page.call('Input.dispatchKeyEvent', { type: 'keyDown', key });
      return String(await page.evaluate(TIP)).split('\n')[0] ?? '';
    };
    const seen = [await press('ArrowRight'), await press('ArrowRight'), await press('ArrowLeft')];
    assert.deepEqual(seen, ['raw@ext4', 'raw@btrfs', 'raw@ext4']);
    assert.equal(await press('Escape'), '');
  });

  test('filters by group and by driver, and the address keeps it', async () => {
    const groups = () =>
      page.evaluate(
        `[...document.querySelectorAll('[data-group]')].filter((one) => !one.hidden).map((one) => one.dataset.group)`,
      );
    assert.deepEqual(await groups(), ['large-files', 'small-files', 'copy-up', 'churn']);
    await page.evaluate(`document.querySelector('input[value=copy-up]').click()`);
    assert.deepEqual(await groups(), ['copy-up']);
    const before = new Set((await marksOf(page, 'copy-up.byte.latency')).map((one) => one.subject));
    assert.equal(before.size, result.subjects.length);
    await page.evaluate(`document.querySelectorAll('input[name=subject]')[3].click()`);
    const left = new Set((await marksOf(page, 'copy-up.byte.latency')).map((one) => one.subject));
    assert.deepEqual(
      [...before].filter((one) => !left.has(one)),
      [3],
    );
    assert.equal(
      await page.evaluate(`[...document.querySelectorAll('[data-subject="3"]')].every((one) => one.hidden)`),
      true,
    );
    assert.equal(await page.evaluate('location.hash'), '#group=copy-up&hidden=vfs%40ext4');
    await page.evaluate(`new Promise((done) => {
      addEventListener('hashchange', () => done(), { once: true });
      location.hash = '#group=churn&hidden=nothing&hidden=raw%40ext4';
    })`);
    assert.deepEqual(await groups(), ['churn']);
    assert.equal(
      await page.evaluate(`document.querySelectorAll('input[name=subject]:not(:checked)').length`),
      1,
    );
    await page.evaluate(`document.querySelector('input[name=group]').click()`);
    await page.evaluate(`document.querySelectorAll('input[name=subject]')[0].click()`);
    assert.equal(await page.evaluate('location.hash'), '');
  });

  test('draws another chart for another depth', async () => {
    const low = await marksOf(page, 'copy-up.byte.latency');
    await page.evaluate(`(() => {
      const select = card.querySelector('select');
      select.value = '3';
      select.dispatchEvent(new Event('change', { bubbles: true }));
    })()`);
    const deep = await marksOf(page, 'copy-up.byte.latency');
    const aufs = (marks: readonly Mark[]) => marks.find((one) => one.subject === 5)?.y ?? 0;
    assert.equal(low.length, deep.length);
    assert.notEqual(aufs(low), aufs(deep));
  });

  test('has every figure with its spread in its tables', async () => {
    const cells = await page.evaluate(
      `[...document.querySelectorAll('.figures td')].map((one) => one.textContent)`,
    );
    assert.ok(Array.isArray(cells));
    assert.equal(cells.length, figures.list.length);
    const shown = new Set(cells.map(String));
    for (const { median, workload } of figures.list.slice(0, 200)) {
      const words = figureText(median, workload.unit).replace(' (', '').replace(')', '');
      assert.ok(shown.has(words), words);
    }
  });

  test('fits a phone, a screen and paper, is dark where people want it dark, and light on paper', async () => {
    for (const width of [360, 800, 1400]) {
      await size(page, width);
      assert.equal(await page.evaluate(WIDER), false, `${width} pixels`);
    }
    const background = 'getComputedStyle(document.body).backgroundColor';
    await media(page, '', 'light');
    const light = await page.evaluate(background);
    await media(page, '', 'dark');
    const dark = await page.evaluate(background);
    assert.notEqual(dark, light);
    await media(page, 'print', 'dark');
    await size(page, 760);
    assert.equal(await page.evaluate(background), 'rgb(255, 255, 255)');
    await page.evaluate(`dispatchEvent(new Event('beforeprint'))`);
    assert.equal(await page.evaluate(WIDER), false, 'paper');
    assert.equal(
      await page.evaluate(`[...document.querySelectorAll('.card')].every((one) => one.querySelector('svg'))`),
      true,
    );
    assert.equal(
      await page.evaluate(`[...document.querySelectorAll('details')].every((one) => one.open)`),
      true,
    );
    assert.equal((await page.screenshot()).subarray(1, 4).toString(), 'PNG');
    await media(page, '', 'light');
  });
});

test('of one value there is no interval, which can be seen', async () => {
  const once = madeResult({
    ...{ subjects: here.map((id) => subject(id)), workloads: ['small.untar', 'large.read.seq.cold'] },
    ...{ truth: literature, extent: 'usual', samples: 1 },
  });
  await using page = await openPage(pageOf('once', once));
  await size(page, 1280);
  for (const workload of ['small.untar', 'large.read.seq.cold']) {
    await marksOf(page, workload);
    assert.equal(await page.evaluate(`card.querySelectorAll('.whisker').length`), 0);
    const said = await page.evaluate(`(show(card, card.marks[0]), ${TIP})`);
    assert.match(String(said), /\(one value\)\n1 sample, too few for 95 %/);
  }
  await marksOf(page, 'small.untar');
  assert.equal(await page.evaluate(`card.querySelectorAll('.bar.few').length`), here.length);
});

test('text of others stays text, however long, and fits a phone', async () => {
  await using page = await openPage(pageOf('hostile', hostileResult()));
  const all = `(async () => {
    for (const card of document.querySelectorAll('.card')) {
      card.scrollIntoView();
      while (!card.querySelector('.plot').firstChild) await new Promise((done) => setTimeout(done, 20));
      for (const mark of card.marks) { show(card, mark); again(card, mark); }
    }
    return [globalThis.owned ?? 'nobody', document.querySelectorAll('img').length];
  })()`;
  for (const width of [360, 1280]) {
    await size(page, width);
    assert.deepEqual(await page.evaluate(all), ['nobody', 0]);
    assert.equal(await page.evaluate(WIDER), false, `${width} pixels`);
  }
  const inside = `document.querySelector('.cautions').textContent.includes(${JSON.stringify(HOSTILE)})`;
  assert.equal(await page.evaluate(inside), true);
  assert.equal(await page.evaluate(`document.querySelectorAll('script').length`), 2);
});
