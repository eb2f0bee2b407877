import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBootHeader } from '../../src/lab/kernel-image.ts';
import { debianReleases, suiteOf } from '../../src/lab/kernels.ts';

test("a bzImage's header tells the release, and other files have none", () => {
  const file = Buffer.alloc(4096);
  assert.equal(readBootHeader(file), undefined);
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(0x600, 0x20e);
  file.write('6.1.0-50-cloud-amd64 (somebody) #1 SMP\0', 0x800, 'latin1');
  assert.equal(readBootHeader(file), '6.1.0-50-cloud-amd64');
  assert.equal(readBootHeader(Buffer.from('#!/bin/sh\n')), undefined);
});

test("Debian's kernels go by version and by suite", () => {
  for (const { name, suite } of debianReleases) assert.equal(suiteOf(name), suite);
  assert.equal(suiteOf('debian:bookworm-backports'), 'bookworm-backports');
  assert.throws(() => suiteOf('debian:4.19'), /there is no kernel debian:4\.19: take debian:5\.10/);
});
