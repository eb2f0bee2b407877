import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatList, type ListFormat } from '../../../src/cli/format/table.ts';
import { alignColumns } from '../../../src/cli/format/tabwriter.ts';
import { asRow } from '../../../src/cli/format/template.ts';

const LIST: ListFormat = {
  headings: { ID: 'CONTAINER ID', Image: 'IMAGE', Names: 'NAMES', Size: 'SIZE', Labels: 'LABELS' },
  table: 'table {{.ID}}\\t{{.Image}}\\t{{.Names}}\\t{{.Size}}',
  raw: { full: 'container_id: {{.ID}}\nnames: {{.Names}}\n', quiet: 'container_id: {{.ID}}' },
};

const labels: Record<string, string> = { 'com.example.some-name': 'v' };
const ROWS = [
  { ID: '0123456789ab', Image: 'debian:12', Names: 'a', Size: '12B (virtual 117MB)' },
  { ID: '1123456789ab', Image: '日本', Names: 'éé', Size: '0B' },
].map((row) => asRow('*formatter.ContainerContext', { ...row, Label: (name: string) => labels[name] ?? '' }));

const show = (format?: string, quiet = false) => formatList(LIST, ROWS, { format, quiet }).split('\n');

test('the default table has columns of at least ten characters, three of them blank', () => {
  assert.deepEqual(show(), [
    'CONTAINER ID   IMAGE       NAMES     SIZE',
    '0123456789ab   debian:12   a         12B (virtual 117MB)',
    '1123456789ab   日本          éé        0B',
    '',
  ]);
  assert.deepEqual(show('table'), show(''));
  assert.equal(formatList(LIST, []), 'CONTAINER ID   IMAGE     NAMES     SIZE\n');
});

test('formats of the user', () => {
  const first = (format: string, quiet = false) => show(format, quiet)[0];
  assert.deepEqual(show('table {{.ID}}\\t{{.Names}}|{{.Size}}'), [
    'CONTAINER ID   NAMES|SIZE',
    '0123456789ab   a|12B (virtual 117MB)',
    '1123456789ab   éé|0B',
    '',
  ]);
  assert.deepEqual(show('table {{json .Names}} {{upper .Image}} {{truncate .ID 2}}'), [
    'NAMES IMAGE CONTAINER ID',
    '"a" DEBIAN:12 01',
    '"éé" 日本 11',
    '',
  ]);
  assert.deepEqual(show('table {{.Label "com.example.some-name"}}'), ['some name', 'v', 'v', '']);
  assert.equal(first('table{{.ID}}'), 'CONTAINER ID');
  assert.equal(first('tablex'), 'x');
  assert.equal(first('  {{.ID}}  '), '0123456789ab');
  assert.deepEqual(show('a\\tb\\n{{.ID}}|\\r').slice(0, 2), ['a\tb', '0123456789ab|\\r']);
  assert.equal(
    first('json'),
    '{"ID":"0123456789ab","Image":"debian:12","Names":"a","Size":"12B (virtual 117MB)"}',
  );
  assert.deepEqual(show('raw').slice(0, 3), ['container_id: 0123456789ab', 'names: a', '']);
});

test('quiet gives ids, unless a format asks for something else', () => {
  assert.deepEqual(show(undefined, true), ['0123456789ab', '1123456789ab', '']);
  assert.deepEqual(show('table', true), show(undefined, true));
  assert.deepEqual(show('raw', true)[0], 'container_id: 0123456789ab');
  assert.deepEqual(show('{{.Names}}', true)[0], 'a');
});

test('a column ends at a line that does not have it', () => {
  assert.equal(
    alignColumns('a\tb\tc\nlong text here\tb\tc\n'),
    'a                b         c\nlong text here   b         c\n',
  );
  assert.equal(alignColumns('a\tb\nnone\nlonger than ten\tb\n'), 'a         b\nnone\nlonger than ten   b\n');
  assert.equal(alignColumns('a\t\nb\t'), 'a         \nb         ');
  assert.equal(alignColumns(''), '');
});

test('ten thousand rows are a line each', () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => {
    return asRow('r', { ID: String(index), Image: 'i', Names: 'n', Size: 's' });
  });
  assert.equal(formatList(LIST, rows).trimEnd().split('\n').length, 10_001);
});
