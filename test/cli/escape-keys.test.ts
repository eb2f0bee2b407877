import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { EscapeKeys } from '../../src/cli/escape-keys.ts';
import { TypedInput } from '../../src/cli/typed-input.ts';

describe('the escape of a terminal', () => {
  /** What goes on to the machine of what is typed, key by key; `!` where it ends. */
  const typed = (text: string, size: number): string => {
    const keys = new EscapeKeys();
    let out = '';
    for (let at = 0; at < text.length; at += size) {
      const { data, ended } = keys.push(Buffer.from(text.slice(at, at + size), 'latin1'));
      out += data.toString('latin1');
      if (ended) return `${out}!`;
    }
    return out;
  };

  for (const [text, expected] of [
    ['~.', '!'],
    ['ls\r~.more', 'ls\r!'],
    ['ls\n~.', 'ls\n!'],
    ['cd ~.\r', 'cd ~.\r'],
    ['\r~~.', '\r~.'],
    ['\r~/bin\r~.', '\r~/bin\r!'],
    ['\r~\r~.', '\r~\r!'],
    ['\xff\r~\xff', '\xff\r~\xff'],
  ] as const)
    test(JSON.stringify(text), () => {
      for (const size of [1, 2, text.length]) assert.equal(typed(text, size), expected);
    });
});

describe('typed input', () => {
  class FakeTerminal extends EventEmitter {
    isRaw = false;
    setRawMode(isRaw: boolean): void {
      this.isRaw = isRaw;
    }
    pause(): void {
      this.emit('paused');
    }
    resume(): void {
      this.emit('resumed');
    }
  }

  test('sees the escape while nobody takes what was typed before, and gives the terminal back', async () => {
    const terminal = new FakeTerminal();
    let escaped = 0;
    const input = new TypedInput(terminal, () => {
      escaped++;
    });
    assert.equal(terminal.isRaw, false);
    const first = input.next();
    assert.equal(terminal.isRaw, true);
    terminal.emit('data', Buffer.from('a'));
    assert.deepEqual(await first, { done: false, value: Buffer.from('a') });
    terminal.emit('data', Buffer.from('bc\r'));
    terminal.emit('data', Buffer.from('~.'));
    assert.equal(escaped, 1);
    assert.equal(terminal.isRaw, false);
    assert.equal(terminal.listenerCount('data'), 0);
    assert.deepEqual(await input.next(), { done: false, value: Buffer.from('bc\r') });
    assert.equal((await input.next()).done, true);
  });

  test('ends with a terminal that was closed, which gives errors for all that is asked of it', async () => {
    const terminal = new FakeTerminal();
    const input = new TypedInput(terminal, () => assert.fail());
    const waiting = input.next();
    terminal.emit('error', new Error('read EIO'));
    assert.equal((await waiting).done, true);
    await input.return();
    // Giving it back is asked for once more, or answered late.
    terminal.emit('error', new Error('setRawMode EIO'));
  });

  test('ends when the machine wants no more', async () => {
    const terminal = new FakeTerminal();
    const input = new TypedInput(terminal, () => assert.fail());
    const waiting = input.next();
    await input.return();
    assert.equal((await waiting).done, true);
    assert.equal(terminal.isRaw, false);
  });
});
