import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSize } from '../src/cli/format/units.ts';
import { sizeText } from '../src/size-text.ts';

test('bytes are written as Docker writes them', () => {
  const sizes = [
    0,
    1,
    1023,
    1024,
    1536,
    7.45 * 1024 ** 2,
    267_386_880,
    10 * 1024 ** 3,
    22_517_998_136_852_480,
  ];
  for (const bytes of sizes) assert.equal(sizeText(bytes), bytesSize(bytes));
  assert.equal(sizeText(7_812_096), '7.45MiB');
});
