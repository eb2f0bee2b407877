import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortageOf } from '../../src/lab/shortage.ts';

test('what a machine was short of is one line, whatever it says', () => {
  const memory = 256 * 2 ** 20;
  assert.equal(shortageOf([], memory), undefined);
  assert.equal(shortageOf(['d/mnt', 'd/a\nb'], memory), "the machine's disk at /mnt, /a\\x0ab was full");
  assert.equal(
    shortageOf(['d/mnt', 'mnode'], memory),
    "the machine's 256 MiB of memory were used up, and its kernel killed node: give it more with --memory",
  );
  const many = shortageOf(
    Array.from({ length: 30_000 }, (_, at) => `m${at}${'x'.repeat(1000)}`),
    memory,
  );
  assert.match(many ?? '', / killed 0x{255}, .*, and 29995 more: give it more with --memory$/);
  assert.ok((many ?? '').length < 2000);
});
