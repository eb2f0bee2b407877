/** What the comparison with Docker lets differ must not hide a wrong answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalise, type Side } from './docker-commands/normalise.ts';

const id = (digit: string) => digit.repeat(64);
const IMAGE = id('1');
const users = [
  { id: id('a'), image: IMAGE, running: false },
  { id: id('b'), image: IMAGE, running: true },
  { id: id('c'), image: IMAGE, running: false },
  { id: id('d'), image: id('2'), running: false },
];

/** Standard error, normalised as that of one side. */
function shown(program: Side['program'], stderr: string): string {
  const side = { dataRoot: '/data', madeAt: '/made', program, known: new Set<string>(), made: new Map() };
  return normalise({ code: 1, stdout: '', stderr }, { ...side, users }).stderr;
}

const named = (digit: string) =>
  `conflict: unable to remove repository reference "x" (must force) - container ${digit.repeat(12)} is using its referenced image ${IMAGE.slice(0, 12)}`;
const used = (kind: string, digit: string) =>
  `conflict: unable to delete ${IMAGE.slice(0, 12)} (must be forced) - image is being used by ${kind} container ${digit.repeat(12)}`;

test('the container that is in the way is any user of the image for Docker, the newest for tsengine', () => {
  for (const [program, digits] of [
    ['docker', 'abc'],
    ['tsengine', 'a'],
  ] as const) {
    for (const digit of 'abcdef') {
      const isUser = digits.includes(digit);
      assert.equal(shown(program, named(digit)).includes('<a user>'), isUser, `${program} ${digit}`);
    }
  }
});

test('a running one is one that runs, a stopped one does not', () => {
  assert.match(shown('tsengine', used('running', 'b')), /running container <a user>$/);
  assert.match(shown('tsengine', used('stopped', 'a')), /stopped container <a user>$/);
  assert.match(shown('docker', used('stopped', 'c')), /stopped container <a user>$/);
  for (const text of [used('running', 'a'), used('stopped', 'b'), used('stopped', 'd')])
    assert.equal(shown('docker', text), text);
});
