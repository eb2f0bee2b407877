import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { FROM_SOURCES } from './compiled-tests.ts';
import { onlyOne } from './scope.ts';

/** What a run with this environment takes of 200 things of four kinds. */
function taken(env: Readonly<Record<string, string>>): number[] {
  const script = `
    import { sampleOf } from ${JSON.stringify(new URL('scope.ts', import.meta.url).href)};
    const items = Array.from({ length: 200 }, (_, index) => index);
    const kindOf = (index) => index === 77 ? 'alone' : String(index % 3);
    console.log(JSON.stringify(sampleOf(items, { oneIn: 10, kindOf, of: 'test' })));`;
  const bare = { ...process.env, ...FROM_SOURCES, TSENGINE_TEST_FULL: '', TSENGINE_TEST_SAMPLE: '0' };
  const options = { env: { ...bare, ...env }, encoding: 'utf8' } as const;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], options);
  const parsed: unknown = JSON.parse(output);
  assert.ok(Array.isArray(parsed));
  return parsed.map(Number);
}

test('a sample has one of each kind and the very last, is one in so many, and is the same each time', () => {
  const sample = taken({});
  for (const must of [77, 199]) assert.ok(sample.includes(must), String(must));
  const has = (...either: number[]) =>
    assert.ok(
      either.some((one) => sample.includes(one)),
      String(either),
    );
  has(0, 198);
  has(1, 199);
  has(2, 197);
  assert.ok(sample.length > 15 && sample.length < 45, String(sample.length));
  assert.deepEqual(sample, taken({}));
  assert.notDeepEqual(sample, taken({ TSENGINE_TEST_SAMPLE: '1' }));
});

test('a full run takes all', () => {
  assert.equal(taken({ TSENGINE_TEST_FULL: '1' }).length, 200);
});

test('a variable takes one of several, and a name of none of them is no empty run', () => {
  const names = ['a:1', 'a:2'];
  const variable = 'TSENGINE_TEST_OF_SCOPE';
  assert.equal(onlyOne(variable, names), undefined);
  for (const [name, expected] of [
    ['a:2', 'a:2'],
    ['typo', undefined],
    ['', undefined],
  ] as const) {
    process.env[variable] = name;
    if (expected === undefined)
      assert.throws(() => onlyOne(variable, names), {
        message: `${variable}=${name}: there is none of that name, but a:1, a:2`,
      });
    else assert.equal(onlyOne(variable, names), expected);
  }
  delete process.env[variable];
});
