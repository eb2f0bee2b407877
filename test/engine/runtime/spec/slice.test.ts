import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupPath } from '../../../../src/engine/runtime/spec/slice.ts';

test('where the cgroup of a container is, below the root of each hierarchy', () => {
  for (const [given, path] of [
    ['/tsengine/abc', '/tsengine/abc'],
    ['tsengine.slice:tsengine:abc', '/tsengine.slice/tsengine-abc.scope'],
    ['a-b-c.slice:docker:abc', '/a.slice/a-b.slice/a-b-c.slice/docker-abc.scope'],
    [':tsengine:abc', '/system.slice/tsengine-abc.scope'],
    ['-.slice:tsengine:abc', '/tsengine-abc.scope'],
    ['a.slice::abc', '/a.slice/abc.scope'],
    ['a.slice:x:b.slice', '/a.slice/b.slice'],
    ['', undefined],
    ['relative/abc', undefined],
    ['a.slice:x:', undefined],
    ['a.slice:x:abc:d', undefined],
  ] as const)
    assert.equal(cgroupPath(given), path, given);
});
