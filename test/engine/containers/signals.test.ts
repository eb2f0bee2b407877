// Which spellings are taken was found with docker 20.10.24.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { checkSignal, parseSignal, signalName } from '../../../src/engine/containers/signals.ts';

test('signals by name and number', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    if (name !== 'SIGUNUSED') assert.equal(parseSignal(name), number, name);
  }
  const cases: readonly (readonly [text: string, number: number])[] = [
    ['9', 9],
    ['term', 15],
    ['SigKill', 9],
    ['SIGCLD', 17],
    ['SIGRTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['rtmin+15', 49],
    ['RTMAX-14', 50],
    ['SIGRTMAX', 64],
    ['65', 65],
    ['-1', -1],
  ];
  for (const [text, number] of cases) assert.equal(parseSignal(text), number, text);
  for (const text of [
    'foo',
    '',
    '0',
    'SIGRTMIN+31',
    'RTMIN+16',
    'RTMAX-15',
    'RTMIN-1',
    'SIG',
    'SIG9',
    '1.5',
    'constructor',
  ]) {
    assert.throws(
      () => parseSignal(text),
      { message: `Invalid signal: ${text}`, code: 'InvalidParameter' },
      text,
    );
  }
});

test('numbers that are no signals', () => {
  assert.equal(checkSignal(64), 64);
  for (const number of [0, -1, 65]) {
    assert.throws(() => checkSignal(number), {
      message: `The linux daemon does not support signal ${number}`,
    });
  }
});

test('each number has a name that means it', () => {
  for (let number = 1; number <= 64; number += 1) assert.equal(parseSignal(signalName(number)), number);
  assert.equal(signalName(15), 'TERM');
  assert.equal(signalName(37), 'RTMIN+3');
  assert.equal(signalName(63), 'RTMAX-1');
  assert.equal(signalName(32), '32');
});
