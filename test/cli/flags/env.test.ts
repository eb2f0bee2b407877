// Results and messages were taken from docker 20.10.24.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseEnv, parseKeyValueFile, parseLabels } from '../../../src/cli/flags/env.ts';

const noFile = (): Buffer => assert.fail('no file was named');

test('-e', () => {
  const environment = { HOME: '/root', EMPTY: '' };
  assert.deepEqual(
    parseEnv(['HOME', 'NOSUCH', 'A=', 'B=1=2', ' C=1', 'A B=1', 'EMPTY'], [], environment, noFile),
    ['HOME=/root', 'NOSUCH', 'A=', 'B=1=2', ' C=1', 'A B=1', 'EMPTY='],
  );
  assert.deepEqual(parseEnv(['constructor'], [], {}, noFile), ['constructor']);
  assert.deepEqual(parseEnv(['A=1', 'B=2', 'A=3', 'B'], [], {}, noFile), ['A=3', 'B']);
  for (const value of ['', '=b']) {
    assert.throws(() => parseEnv([value], [], {}, noFile), {
      message: `invalid argument "${value}" for "-e, --env" flag: invalid environment variable: ${value}`,
    });
  }
});

test('--label', () => {
  assert.deepEqual(parseLabels(['a', 'b=1', ' c d=2=3', 'b=4'], [], noFile), {
    a: '',
    b: '4',
    ' c d': '2=3',
  });
  const cases: readonly (readonly [value: string, reason: string])[] = [
    ['=b', "invalid label '=b': empty name"],
    ['', "invalid label '': empty name"],
    ['a b', "label 'a b' contains whitespaces"],
  ];
  for (const [value, reason] of cases) {
    const message = `invalid argument "${value}" for "-l, --label" flag: ${reason}`;
    assert.throws(() => parseLabels([value], [], noFile), { message, exitCode: 125 });
  }
});

test('env files', () => {
  const good: readonly (readonly [content: string, pairs: readonly string[]])[] = [
    ['', []],
    ['A=1\n# c\n\n  B=2\n', ['A=1', 'B=2']],
    ['\ufeffA=1\nHOME\n NOSUCH\nX=\nK=a b # c', ['A=1', 'HOME=/root', 'X=', 'K=a b # c']],
    ['A=1\r\n   # c\r\n', ['A=1']],
    ['A="q"\nB= 1 ', ['A="q"', 'B= 1 ']],
  ];
  for (const [content, pairs] of good) {
    assert.deepEqual(parseKeyValueFile('f', Buffer.from(content), { HOME: '/root' }), pairs);
  }
  assert.deepEqual(parseKeyValueFile('f', Buffer.from('HOME\nA=b\n'), {}), ['A=b']);
  const bad: readonly (readonly [content: Buffer, message: string])[] = [
    [Buffer.from('C D=3'), "poorly formatted environment: variable 'C D' contains whitespaces"],
    [Buffer.from('  Y = 1'), "poorly formatted environment: variable 'Y ' contains whitespaces"],
    [Buffer.from('A '), "poorly formatted environment: variable 'A ' contains whitespaces"],
    [Buffer.from('  =x'), "poorly formatted environment: no variable name on line '=x'"],
    [Buffer.from('A=1\nA=\xff', 'latin1'), 'env file f contains invalid utf8 bytes at line 2: [65 61 255]'],
  ];
  for (const [content, message] of bad) assert.throws(() => parseKeyValueFile('f', content, {}), { message });
});

test('files come before flags, and missing ones are named', () => {
  const readFile = () => Buffer.from('A=file\nB');
  assert.deepEqual(parseEnv(['A=flag'], ['f'], {}, readFile), ['A=file', 'A=flag']);
  assert.deepEqual(parseLabels(['A=flag'], ['f'], readFile), { A: 'flag' });
  const read = (path: string) => readFileSync(path);
  assert.throws(() => parseEnv([], ['/nosuch'], {}, read), {
    message: 'open /nosuch: no such file or directory',
  });
  assert.throws(() => parseLabels([], ['/'], read), { message: 'read /: is a directory' });
});
