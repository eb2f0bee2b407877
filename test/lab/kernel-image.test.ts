import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabCache } from '../../src/lab/cache.ts';
import { readBootHeader } from '../../src/lab/kernel-image.ts';
import { checkVersion, debianReleases, kernelPlan, suiteOf } from '../../src/lab/kernels.ts';

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

test('the two names of a kernel share an entry, but for one whose version moves on', () => {
  const context = { progress: () => undefined, signal: undefined };
  const cache = new LabCache(context, '/nonexistent');
  const entry = (name: string): string => cache.nameOf(kernelPlan(name, cache, context));
  // The names that caches have had from the beginning.
  assert.equal(entry('debian:6.1'), 'kernel-debian-6.1-3feab01ed741');
  assert.equal(entry('debian:bookworm'), entry('debian:6.1'));
  assert.equal(entry('debian:trixie'), entry('debian:6.12'));
  assert.notEqual(entry('debian:sid'), entry('debian:7.2'));
  assert.notEqual(entry('debian:bookworm-backports'), entry('debian:bookworm'));
});

test('a suite that has moved on does not pass for the version that was asked for', () => {
  checkVersion('debian:7.2', 'sid', '7.2.13+deb14-cloud-amd64');
  checkVersion('debian:sid', 'sid', '7.4.1+deb14-cloud-amd64');
  for (const release of ['7.4.1+deb14-cloud-amd64', '7.20.1-cloud-amd64'])
    assert.throws(() => checkVersion('debian:7.2', 'sid', release), {
      code: 'NotFound',
      message: `Debian's sid has no kernel 7.2 any more, but ${release.split('.', 2).join('.')}: ask for debian:sid`,
    });
});
