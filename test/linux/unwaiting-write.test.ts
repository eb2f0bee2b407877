import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { unwaitingWriter } from '../../src/linux/unwaiting-write.ts';

/** O_NONBLOCK of an open file, as the kernel tells it. */
function isNonBlocking(fd: number): boolean {
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
  return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0;
}

test('a full pipe is not waited for, and the descriptor of others stays as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unwaiting-'));
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, constants.O_RDWR);
  try {
    using writer = unwaitingWriter(fd);
    const piece = Buffer.alloc(4096, 'x');
    let written = 0;
    for (let count = writer.write(piece); count > 0; count = writer.write(piece)) written += count;
    assert.equal(written, 65_536);
    assert.equal(isNonBlocking(fd), false);
    assert.equal(readSync(fd, Buffer.alloc(8192)), 8192);
    assert.equal(writer.write(piece), 4096);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});
