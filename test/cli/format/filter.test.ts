import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilters } from '../../../src/cli/format/filter.ts';
import {
  booleanFilter,
  checkFilters,
  checkFilterValues,
  matchContainerName,
  matchExact,
  matchLabels,
  matchPattern,
  matchPrefix,
} from '../../../src/engine/text/filters.ts';

test('filters are collected by key', () => {
  assert.deepEqual(
    parseFilters(['name=a', ' NAME = b=c ', 'name=a', '', 'label!=x', 'name=']),
    new Map([
      ['name', ['a', 'b=c', '']],
      ['label!', ['x']],
    ]),
  );
  assert.throws(() => parseFilters(['foo']), {
    message: 'invalid argument "foo" for "-f, --filter" flag: bad format of filter (expected name=value)',
    exitCode: 125,
  });
});

test('unknown keys and values are refused', () => {
  checkFilters(parseFilters(['name=a']), ['name']);
  assert.throws(() => checkFilters(parseFilters(['foo=1']), ['name']), { message: "Invalid filter 'foo'" });
  assert.throws(() => checkFilterValues(parseFilters(['status=foo']), 'status', ['running']), {
    message: "Invalid filter 'status=foo'",
  });
  assert.equal(booleanFilter(parseFilters(['dangling=1', 'dangling=true']), 'dangling', false), true);
  assert.equal(booleanFilter(parseFilters([]), 'dangling', false), false);
  assert.throws(() => booleanFilter(parseFilters(['dangling=x']), 'dangling', false), {
    message: "Invalid filter 'dangling=[x]'",
  });
  assert.throws(() => booleanFilter(parseFilters(['dangling=1', 'dangling=0']), 'dangling', false), {
    message: "Invalid filter 'dangling=[1 0]'",
  });
});

test('names match as patterns, with and without their slash', () => {
  const names = ['n1', 'n10', 'x1'];
  const cases: readonly (readonly [filter: string, found: readonly string[]])[] = [
    ['n1', ['n1', 'n10']],
    ['^n1$', ['n1']],
    ['^/n1$', ['n1']],
    ['^1', []],
    ['(', []],
    ['', names],
  ];
  for (const [filter, found] of cases) {
    const filters = parseFilters([`name=${filter}`]);
    assert.deepEqual(
      names.filter((name) => matchContainerName(filters, `/${name}`)),
      found,
      filter,
    );
  }
  assert.ok(matchContainerName(new Map(), '/a'));
});

test('other matches', () => {
  const filters = parseFilters(['id=ab', 'label=a', 'label=b=2']);
  assert.ok(matchPattern(filters, 'id', 'xabx'));
  assert.ok(matchPrefix(filters, 'id', 'abc') && !matchPrefix(filters, 'id', 'xab'));
  assert.ok(
    matchExact(filters, 'id', 'ab') && !matchExact(filters, 'id', 'abc') && matchExact(filters, 'no', 'x'),
  );
  assert.ok(matchLabels(filters, 'label', { a: '', b: '2', c: '' }));
  assert.ok(!matchLabels(filters, 'label', { a: '', b: '3' }));
  assert.ok(!matchLabels(filters, 'label', null) && matchLabels(filters, 'label!', null));
});
