import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandCell, createdAtText, ellipsis, shortId } from '../../../src/cli/format/ps.ts';

test('texts are cut by columns of the terminal', () => {
  const cases: readonly (readonly [text: string, width: number, cut: string])[] = [
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['abcd', 1, 'a'],
    ['abcd', 0, ''],
    ['', 1, ''],
    ['ééé', 3, 'ééé'],
    ['éééé', 3, 'éé…'],
    ['日本 語のコマンドで長いもの', 20, '日本 語のコマンドで…'],
    ['日本', 3, '日…'],
  ];
  for (const [text, width, cut] of cases) assert.equal(ellipsis(text, width), cut, text);
});

test('commands are cut, then quoted', () => {
  assert.equal(commandCell('bash'), '"bash"');
  assert.equal(commandCell(`bash -c 'echo "<x> & y" aaaa'`), `"bash -c 'echo \\"<x> …"`);
  assert.equal(commandCell('a\n\x01\u2028é', true), '"a\\n\\x01\\u2028é"');
});

test('ids and times', () => {
  assert.equal(shortId(`sha256:${'0123456789abcdef'.repeat(4)}`), '0123456789ab');
  assert.equal(shortId('0123456789abcdef'), '0123456789ab');
  assert.match(
    createdAtText(1_577_934_245),
    /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} (?:[A-Z]{3,5}|[+-]\d+)$/,
  );
});
