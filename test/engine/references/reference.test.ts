// Messages were taken from docker 20.10.24.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchReference } from '../../../src/engine/references/match.ts';
import {
  familiarString,
  isDigest,
  isHexId,
  parseCanonicalReference,
  parseReference,
  referenceString,
  repositoryName,
  withDefaultTag,
} from '../../../src/engine/references/reference.ts';

const HEX = 'a'.repeat(64);

test('references are normalised', () => {
  const cases: readonly (readonly [text: string, full: string, familiar: string])[] = [
    ['debian', 'docker.io/library/debian', 'debian'],
    ['debian:12', 'docker.io/library/debian:12', 'debian:12'],
    ['user/app', 'docker.io/user/app', 'user/app'],
    ['docker.io/debian', 'docker.io/library/debian', 'debian'],
    ['index.docker.io/debian', 'docker.io/library/debian', 'debian'],
    ['docker.io/library/debian', 'docker.io/library/debian', 'debian'],
    ['library/debian', 'docker.io/library/debian', 'debian'],
    ['docker.io/a/b', 'docker.io/a/b', 'a/b'],
    ['library/a/b', 'docker.io/library/a/b', 'library/a/b'],
    ['x/library/a', 'docker.io/x/library/a', 'x/library/a'],
    ['localhost/a', 'localhost/a', 'localhost/a'],
    [
      `localhost:5000/a/b:tag@sha256:${HEX}`,
      `localhost:5000/a/b:tag@sha256:${HEX}`,
      `localhost:5000/a/b:tag@sha256:${HEX}`,
    ],
    [`a@sha256:${HEX}`, `docker.io/library/a@sha256:${HEX}`, `a@sha256:${HEX}`],
    ['A.b/c', 'A.b/c', 'A.b/c'],
    ['FOO:5000/bar', 'FOO:5000/bar', 'FOO:5000/bar'],
    ['a__b', 'docker.io/library/a__b', 'a__b'],
    ['a--b', 'docker.io/library/a--b', 'a--b'],
    ['a:_x', 'docker.io/library/a:_x', 'a:_x'],
    ['a:B', 'docker.io/library/a:B', 'a:B'],
    [`a:${'t'.repeat(128)}`, `docker.io/library/a:${'t'.repeat(128)}`, `a:${'t'.repeat(128)}`],
    ['a_b.c/x', 'a_b.c/x', 'a_b.c/x'],
  ];
  for (const [text, full, familiar] of cases) {
    const reference = parseReference(text);
    assert.equal(referenceString(reference), full);
    assert.equal(familiarString(reference), familiar);
    assert.deepEqual(parseReference(familiar), reference, 'the familiar form means the same');
  }
});

test('mistakes in references', () => {
  const plain = 'invalid reference format';
  const cases: readonly (readonly [text: string, message: string])[] = [
    ...[
      '',
      'a:',
      ':a',
      'a@b',
      'a:b:c',
      'a..b',
      'a___b',
      'a.-b',
      '_a',
      'a_',
      '/a',
      'a/',
      'a//b',
      'a b',
      'é',
      'a:-x',
      'a:.x',
    ].map((text) => [text, plain] as const),
    ...[
      'localhost:x/a',
      '[::1]:5000/a',
      'http://a/b',
      'https://a',
      'a@sha256:abc',
      `a:${'t'.repeat(129)}`,
      '..',
      '-',
    ].map((text) => [text, plain] as const),
    ...['A', 'a/B', 'A/b', 'localhost/X', 'A:b', 'FOO/bar/baz', 'nosuchA'].map(
      (text) => [text, `${plain}: repository name must be lowercase`] as const,
    ),
    [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
    ['a'.repeat(260), 'repository name must not be more than 255 characters'],
    [`a@sha512:${HEX}`, 'invalid checksum digest length'],
    [`a@md5:${HEX}`, 'unsupported digest algorithm'],
    [`a:t@sha256:${HEX}@x`, plain],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseReference(text), { message, code: 'InvalidParameter' }, text);
  }
});

// A backtracking expression would take hours for these.
test('long hostile references are refused at once', { timeout: 30_000 }, () => {
  for (const text of [
    'a-'.repeat(50_000),
    'a.'.repeat(50_000),
    `${'a'.repeat(100_000)}/`,
    `${'A-'.repeat(20_000)}:1/b_`,
  ]) {
    assert.throws(() => parseReference(text));
  }
});

test('parts of references', () => {
  const reference = parseReference('debian');
  assert.equal(repositoryName(reference), 'docker.io/library/debian');
  assert.equal(familiarString(withDefaultTag(reference)), 'debian:latest');
  assert.equal(withDefaultTag(parseReference(`a@sha256:${HEX}`)).tag, undefined);
  assert.equal(parseCanonicalReference('docker.io/library/a:1').tag, '1');
  assert.throws(() => parseCanonicalReference('a:1'), { message: 'repository name must be canonical' });
  assert.ok(isHexId(HEX) && !isHexId(HEX.slice(1)) && !isHexId(HEX.toUpperCase()));
  assert.ok(
    isDigest(`sha256:${HEX}`) && !isDigest(HEX) && !isDigest(`sha512:${HEX}`) && !isDigest(`sha256:${HEX}:`),
  );
});

test('patterns', () => {
  const tiny = parseReference('tiny:1');
  const app = parseReference('user/app:1.2');
  for (const pattern of [
    'tiny',
    'tiny:1',
    'ti*',
    't?ny',
    'tiny:[0-9]',
    'tiny:[^a]',
    '[st]iny',
    'ti\\ny',
    '*',
  ]) {
    assert.ok(matchReference(pattern, tiny), pattern);
  }
  for (const pattern of ['ti', 'tiny:2', '*/*', 'TINY', '', 'tiny:[^0-9]'])
    assert.ok(!matchReference(pattern, tiny), pattern);
  assert.ok(
    matchReference('user/*', app) && !matchReference('user*', app) && matchReference('*/app:1.[0-9]', app),
  );
  for (const pattern of ['[', '[]', '[z-a]', 'a[b', 'a\\']) {
    assert.throws(() => matchReference(pattern, tiny), { message: 'syntax error in pattern' }, pattern);
  }
});
