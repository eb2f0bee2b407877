/** The page of a matrix as people have it: opened in a browser, filtered, clicked, on a phone, in the dark, on paper. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { escapeHtml, matrixPage } from '../../src/lab/matrix/html.ts';
import { readMatrix } from '../../src/lab/matrix/matrix-file.ts';
import { openPage, type Page } from '../helpers/chromium.ts';
import { cell, feature, kernel, matrix } from '../helpers/matrix-samples.ts';

/** What a kernel or a driver could say to get out of the place where the page shows it. */
const HOSTILE = '</script><script>globalThis.owned = 1</script><img src=x onerror="owned = 1">\'"&amp;<!--';

const full = matrix(
  kernel({
    cells: [
      cell({ log: `ok first (1 ms)\nnot ok second: ${HOSTILE}\n    at somewhere` }),
      cell({ backing: 'xfs', status: 'failed', reasons: [HOSTILE], log: HOSTILE }),
      cell({ driver: 'vfs', status: 'refused', reasons: ['no space'], log: '' }),
      cell({ driver: 'vfs', backing: 'fuse', status: 'unavailable', reasons: ['no FUSE'], log: '' }),
    ],
    features: [feature(), feature({ name: 'index', answer: 'no', reason: `EINVAL: ${HOSTILE}` })],
  }),
  kernel({
    name: HOSTILE,
    release: '',
    error: HOSTILE,
    cells: [cell({ driver: HOSTILE, status: 'limited' })],
  }),
);

const folder = mkdtempSync(join(tmpdir(), 'tsengine-page-'));
const path = join(folder, 'matrix.html');
writeFileSync(path, matrixPage(full));
after(() => rmSync(folder, { recursive: true, force: true }));

test('it asks for nothing from anywhere', () => {
  const text = matrixPage(full);
  assert.doesNotMatch(text, /(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i);
  assert.doesNotMatch(text, /@import|url\(/);
  assert.match(text, /default-src &#39;none&#39;/);
  assert.equal(escapeHtml(HOSTILE).match(/[<>"']/), null);
});

test('the page that is published shows all cells of its JSON, each with its log, and fits a screen', async () => {
  const docs = join(import.meta.dirname, '../../docs/matrix');
  const { kernels } = readMatrix(`${docs}/matrix.json`);
  const cells = kernels.flatMap((one) => one.cells);
  await using page = await openPage(`${pathToFileURL(`${docs}/matrix.html`)}`);
  const shown = await page.evaluate(`[...document.querySelectorAll('.cell')].map((button) => {
    button.click();
    const dialog = document.querySelector('dialog');
    const { open } = dialog;
    const text = [dialog.querySelector('h2').textContent, dialog.querySelector('pre')?.textContent.trimEnd() ?? ''];
    dialog.close();
    return open ? text : [];
  })`);
  assert.deepEqual(
    shown,
    cells.map(({ driver, backing, status, log }) => [`${driver} on ${backing}: ${status}`, log.trimEnd()]),
  );
  const [first] = new Set(cells.map(({ driver }) => driver));
  await page.evaluate(`document.querySelector('.filter input[value="${first}"]').click()`);
  assert.deepEqual(
    await page.evaluate(
      `[...new Set([...document.querySelectorAll('.cell')].filter((one) => one.checkVisibility()).map((one) => one.closest('tr').dataset.driver))]`,
    ),
    [first],
  );
  const metrics = { width: 1280, height: 800, deviceScaleFactor: 1, mobile: false };
  await page.call('Emulation.setDeviceMetricsOverride', metrics);
  const size = 'document.documentElement.scrollWidth <= document.documentElement.clientWidth';
  assert.equal(await page.evaluate(size), true);
});

describe('in a browser', () => {
  let page: Page;
  before(async () => {
    page = await openPage(`${pathToFileURL(path)}`);
  });
  after(async () => {
    await page[Symbol.asyncDispose]();
  });
  const drivers = () =>
    page.evaluate(
      `[...document.querySelectorAll('tr[data-driver]')].filter((row) => !row.hidden).map((row) => row.dataset.driver)`,
    );

  test('it runs no script but its own, and shows what others said as text', async () => {
    assert.equal(await page.evaluate('globalThis.owned'), undefined);
    assert.equal(await page.evaluate(`document.querySelectorAll('img').length`), 0);
    assert.equal(
      await page.evaluate(`document.querySelector('.error').textContent.includes('<script>')`),
      true,
    );
    assert.equal(await page.evaluate(`document.querySelectorAll('.cell').length`), 5);
  });

  test('it filters by driver', async () => {
    assert.deepEqual(await drivers(), ['overlay2', 'vfs', HOSTILE]);
    await page.evaluate(`document.querySelector('.filter input[value=vfs]').click()`);
    assert.deepEqual(await drivers(), ['vfs']);
    assert.equal(await page.evaluate('location.hash'), '#driver=vfs');
    await page.evaluate(`document.querySelector('.filter input').click()`);
    assert.deepEqual(await drivers(), ['overlay2', 'vfs', HOSTILE]);
    await page.evaluate(`new Promise((done) => {
      addEventListener('hashchange', () => done(), { once: true });
      location.hash = '#driver=overlay2';
    })`);
    assert.deepEqual(await drivers(), ['overlay2']);
    await page.evaluate(`document.querySelector('.filter input').click()`);
  });

  test('a click on a cell shows its log, and a click on a feature why', async () => {
    await page.evaluate(`document.querySelector('.cell').click()`);
    const shown = await page.evaluate(`(() => {
      const dialog = document.querySelector('dialog');
      const bad = [...dialog.querySelectorAll('.bad')].map((line) => line.textContent);
      return { open: dialog.open, title: dialog.querySelector('h2').textContent, bad };
    })()`);
    assert.deepEqual(shown, {
      open: true,
      title: 'overlay2 on ext4: works',
      bad: [`not ok second: ${HOSTILE}\n`],
    });
    assert.equal(await page.evaluate('globalThis.owned'), undefined);
    await page.evaluate(`document.querySelector('.close').click()`);
    assert.equal(await page.evaluate(`document.querySelector('dialog').open`), false);
    await page.evaluate(`document.querySelector('.answer').click()`);
    const why = await page.evaluate(`document.querySelector('dialog .body').textContent`);
    assert.equal(why, `EINVAL: ${HOSTILE}`);
    await page.evaluate(`document.querySelector('.close').click()`);
  });

  test('it fits a phone, a screen and paper, and is dark where people want it dark', async () => {
    const size = async (width: number, mobile: boolean): Promise<void> => {
      const metrics = { width, height: 800, deviceScaleFactor: 1, mobile };
      await page.call('Emulation.setDeviceMetricsOverride', metrics);
    };
    const overflow = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
    for (const width of [360, 800, 1400]) {
      await size(width, width < 500);
      assert.equal(await page.evaluate(overflow), false, `${width} pixels`);
    }
    const background = 'getComputedStyle(document.body).backgroundColor';
    const scheme = (value: string) =>
      page.call('Emulation.setEmulatedMedia', {
        media: '',
        features: [{ name: 'prefers-color-scheme', value }],
      });
    await scheme('light');
    const light = await page.evaluate(background);
    await scheme('dark');
    assert.notEqual(await page.evaluate(background), light);
    await page.call('Emulation.setEmulatedMedia', { media: 'print', features: [] });
    assert.equal(await page.evaluate(`getComputedStyle(document.querySelector('.filter')).display`), 'none');
    assert.equal((await page.screenshot()).subarray(1, 4).toString(), 'PNG');
  });
});
