// Messages were taken from docker 20.10.24.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADJECTIVES, SURNAMES } from '../../../src/engine/containers/name-words.ts';
import {
  checkContainerName,
  matchIdPrefix,
  nameConflict,
  randomId,
  randomName,
  resolveContainer,
} from '../../../src/engine/containers/names.ts';

test('names of containers', () => {
  for (const name of ['ab', 'ab.', 'A-1_b', '0a']) assert.equal(checkContainerName(name), name);
  assert.equal(checkContainerName('/ab'), 'ab');
  for (const name of ['a', '-a', 'a/b', 'a b', 'é', '.ab', '_a', 'ab/', '', '//ab', 'ab\n']) {
    assert.throws(() => checkContainerName(name), {
      code: 'InvalidParameter',
      message: `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    });
  }
  assert.match(
    nameConflict('ab', 'f00').message,
    /^Conflict\. The container name "\/ab" is already in use by container "f00"\. /,
  );
});

test('the words make names, and there are enough', () => {
  for (const words of [ADJECTIVES, SURNAMES]) {
    assert.ok(words.length >= 60);
    assert.equal(new Set(words).size, words.length);
    for (const word of words) assert.match(word, /^[a-z]+$/);
  }
});

test('drawn names', () => {
  const first = randomName(() => false, 'f'.repeat(64));
  assert.match(first, /^[a-z]+_[a-z]+$/);
  const tried: string[] = [];
  const taken = (name: string) => {
    tried.push(name);
    return tried.length < 3;
  };
  assert.match(randomName(taken, ''), /^[a-z]+_[a-z]+\d$/);
  assert.equal(tried.length, 3);
  assert.equal(
    randomName(() => true, `0123456789ab${'c'.repeat(52)}`),
    '0123456789ab',
  );
});

test('drawn ids', () => {
  const ids = new Set(Array.from({ length: 2000 }, randomId));
  assert.equal(ids.size, 2000);
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.doesNotMatch(id, /^\d{12}/);
  }
});

test('resolving what users call containers', () => {
  const [a, b, c] = ['aa', 'ab', 'bc'].map((start) => start.padEnd(64, '0'));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const ids = [a, b, c];
  const names = new Map([
    ['web', a],
    ['bc', b],
    [c, a],
  ]);
  const resolve = (wanted: string) => resolveContainer(wanted, ids, (name) => names.get(name));
  assert.equal(resolve('web'), a);
  assert.equal(resolve('/web'), a);
  assert.equal(resolve('ab'), b);
  assert.equal(resolve('bc'), b, 'a name wins over a prefix');
  assert.equal(resolve(c), c, 'a full id wins over a name');
  assert.throws(() => resolve('a'), {
    code: 'InvalidParameter',
    message: 'Multiple IDs found with provided prefix: a',
  });
  for (const wanted of ['zzz', '', 'aaa', 'A', `${a}0`]) {
    assert.throws(() => resolve(wanted), { code: 'NotFound', message: `No such container: ${wanted}` });
  }
  assert.deepEqual(matchIdPrefix([a, a], 'a'), { kind: 'found', id: a });
});
