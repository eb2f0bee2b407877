import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { showBenchProgress } from '../../src/cli/bench-progress.ts';

function stream(isTTY: boolean) {
  const written: string[] = [];
  const write = (text: string | Uint8Array): boolean => {
    written.push(String(text));
    return true;
  };
  return { written, isTTY, columns: 60, write };
}

const HOUR = 3_600_000;

describe('progress of a benchmark', () => {
  test('on a terminal is one line with the time that is left, and notes stay above it', () => {
    const out = stream(true);
    {
      using progress = showBenchProgress(false, HOUR, out);
      progress.listener.at('overlay2@ext4 large-67108864', 0.25);
      progress.listener.note('zfs-fuse stands in for zfs');
      progress.listener.note('zfs-fuse stands in for zfs');
      progress.listener.at(`btrfs ${'x'.repeat(100)}`, 1.2);
    }
    const [first = '', ...rest] = out.written;
    assert.equal(first, '\r\x1b[K[ 25 %, 45 min left at most] overlay2@ext4 large-67108864');
    assert.deepEqual(rest.slice(0, 2), ['\r\x1b[K', 'tsengine: zfs-fuse stands in for zfs\n']);
    assert.ok(rest[2]?.startsWith('\r\x1b[K[100 %, 0 s left at most] btrfs xxx'));
    assert.equal((rest[2] ?? '').length, '\r\x1b[K'.length + 59, 'no line breaks');
    assert.deepEqual(rest.slice(3), ['\r\x1b[K']);
  });

  test('into a pipe is a line a minute, and nothing that a terminal would obey', () => {
    const out = stream(false);
    let time = 0;
    const { listener, clear } = showBenchProgress(false, 10 * HOUR, out, () => time);
    for (; time < 150_000; time += 10_000) listener.at(`at ${time / 1000} s`, time / (10 * HOUR));
    listener.note('mkfs said \x1b[31mno\nspace');
    clear();
    assert.deepEqual(out.written, [
      'tsengine: 0 %, 10.0 h left at most: at 0 s\n',
      'tsengine: 0 %, 10.0 h left at most: at 60 s\n',
      'tsengine: 0 %, 10.0 h left at most: at 120 s\n',
      'tsengine: mkfs said \\x1b[31mno\\x0aspace\n',
    ]);
  });

  test('is none when nobody wants to hear it', () => {
    for (const isTTY of [true, false]) {
      const out = stream(isTTY);
      using progress = showBenchProgress(true, HOUR, out);
      progress.listener.at('x', 0.5);
      progress.listener.note('y');
      progress.clear();
      assert.deepEqual(out.written, []);
    }
  });
});
