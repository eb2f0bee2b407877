/** The matrix that is published under docs/: what its pages and its schema say is what its JSON holds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromJSONSchema } from 'zod';
import { DRIVER_NAMES } from '../../src/drivers/registry.ts';
import { matrixPage } from '../../src/lab/matrix/html.ts';
import { matrixMarkdown } from '../../src/lab/matrix/markdown.ts';
import { readMatrix } from '../../src/lab/matrix/matrix-file.ts';
import { BACKINGS } from '../../src/lab/matrix/schema.ts';

const docs = join(import.meta.dirname, '../../docs');
const published = (name: string): string => readFileSync(`${docs}/${name}`, 'utf8');

test('the Markdown and the page are what the JSON gives', () => {
  const matrix = readMatrix(`${docs}/matrix/matrix.json`);
  const advice = 'run node scripts/matrix-pages.ts';
  // Not `equal`: nobody wants to read the difference of two pages of half a megabyte.
  assert.ok(published('matrix/matrix.md') === matrixMarkdown(matrix), `matrix.md: ${advice}`);
  assert.ok(published('matrix/matrix.html') === matrixPage(matrix), `matrix.html: ${advice}`);
});

test('it is of this machine and four kernels of Debian, each to its end, with every driver on every filesystem', () => {
  const { kernels } = readMatrix(`${docs}/matrix/matrix.json`);
  assert.deepEqual(
    kernels.map(({ name, error }) => [name, error]),
    ['host', 'debian:6.12', 'debian:6.1', 'debian:5.10', 'debian:7.2'].map((name) => [name, null]),
  );
  const wanted = DRIVER_NAMES.flatMap((driver) => BACKINGS.map((backing) => `${driver} on ${backing}`));
  for (const { name, cells } of kernels) {
    const found = cells.map(({ driver, backing }) => `${driver} on ${backing}`);
    assert.deepEqual(found.sort(), wanted.sort(), name);
  }
});

test('the JSON is of the published schema, and what is none is not', () => {
  const schema = fromJSONSchema(JSON.parse(published('matrix.schema.json')));
  const matrix = JSON.parse(published('matrix/matrix.json'));
  assert.deepEqual(schema.safeParse(matrix).error?.issues.slice(0, 3), undefined);
  const [kernel, ...more] = matrix.kernels;
  for (const [what, part] of [
    ['a status', { cells: [{ ...kernel.cells[0], status: 'perhaps' }] }],
    ['an answer', { features: [{ ...kernel.features[0], answer: 'perhaps' }] }],
    ['whose fault', { errorOf: 'nobody' }],
    ['a time', { seconds: -1 }],
    ['a missing field', { cells: undefined }],
  ] as const) {
    const wrong = JSON.parse(JSON.stringify({ ...matrix, kernels: [{ ...kernel, ...part }, ...more] }));
    assert.equal(schema.safeParse(wrong).success, false, what);
  }
});
