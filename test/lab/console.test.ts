import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ConsoleLog,
  consoleVerdict,
  isPanic,
  isTrouble,
  killedForMemory,
  lastWords,
  toBeShown,
} from '../../src/lab/console.ts';

describe('a console', () => {
  test('keeps whole lines, however they come, without what is for terminals', () => {
    const log = new ConsoleLog();
    const text = '\x1bc\x1b[?7l\x1b[2JSeaBIOS (version 1)\r\nfirst\r\n\r\n\x1b[31msecond\x1b[0m\r\nthi';
    for (const byte of Buffer.from(text)) log.push(Buffer.of(byte));
    assert.deepEqual(log.lines(), ['first', 'second', 'thi']);
    log.push(Buffer.from('rd\n'));
    assert.deepEqual(log.lines(), ['first', 'second', 'third']);
  });

  test('keeps what the kernel says behind the last words of the firmware', () => {
    const log = new ConsoleLog();
    const raw =
      'SeaBIOS (version 1)\r\nBooting from ROM..\x1bc\x1b[?7l\x1b[2J[    1.319524] Kernel panic - not syncing: why\r\n';
    log.push(Buffer.from(raw));
    assert.deepEqual(log.lines(), ['[    1.319524] Kernel panic - not syncing: why']);
    log.push(Buffer.from('Booting from Hard Disk...\r\n'));
    assert.equal(log.lines().length, 1);
  });

  test('keeps a panic, however much comes after it', () => {
    const log = new ConsoleLog();
    log.push(Buffer.from('a\n'.repeat(300)));
    log.mark();
    // Text of somebody's is none, in which no kernel has put its time.
    log.push(Buffer.from('Kernel panic - not syncing: said\n'));
    log.push(Buffer.from('[    1.5] Kernel panic - not syncing: why\n'));
    for (let line = 0; line < 1000; line++) log.push(Buffer.from(`line ${line}\n`));
    const lines = log.lines();
    assert.deepEqual(lines.slice(-151, -149), ['[    1.5] Kernel panic - not syncing: why', 'line 0']);
    assert.equal(lines.at(-1), 'line 149');
    assert.equal(log.sinceMark().length, 152);
    assert.equal(isPanic(lines.at(-151) ?? ''), true);
    assert.equal(isPanic('Kernel panic - not syncing: said'), false);
  });

  test('passes on nothing that a terminal would act on', () => {
    const log = new ConsoleLog();
    const all = Array.from({ length: 256 }, (_, code) => code).filter(
      (code) => code !== 0x0a && code !== 0x1b,
    );
    log.push(Buffer.from([...all, 0x0a]));
    log.push(Buffer.from('a\x9b2Jb\x08\x07\tc\x1b', 'latin1'));
    const [line = '', last] = log.lines();
    const kept = all.filter((code) => code === 0x09 || (code >= 0x20 && code < 0x7f) || code >= 0xa0);
    assert.deepEqual(Buffer.from(line, 'latin1'), Buffer.from(kept));
    assert.equal(last, 'a2Jb\tc');
  });

  test('knows what came after a mark, and gives whole lines as they come', () => {
    const log = new ConsoleLog();
    assert.deepEqual(log.push(Buffer.from('a\nb')), ['a']);
    log.mark();
    assert.deepEqual(log.sinceMark(), ['b']);
    assert.deepEqual(log.push(Buffer.from('\nc\n')), ['b', 'c']);
    assert.deepEqual(log.sinceMark(), ['b', 'c']);
    log.mark();
    assert.deepEqual(log.sinceMark(), []);
    for (let line = 0; line < 300; line++) log.push(Buffer.from(`line ${line}\n`));
    assert.equal(log.sinceMark().length, 200);
  });

  test('tells when a kernel says that something is wrong with it', () => {
    for (const line of [
      '[   12.3] BUG: kernel NULL pointer dereference, address: 0000000000000000',
      '[   12.3] WARNING: CPU: 0 PID: 1 at fs/overlayfs/super.c:1 ovl_fill_super+0x1/0x2 [overlay]',
      '[   12.3] Oops: 0002 [#1] PREEMPT SMP',
      '[  242.0] INFO: task mount:77 blocked for more than 120 seconds.',
      '[    9.1] Out of memory: Killed process 77 (node) total-vm:1kB',
    ])
      assert.ok(isTrouble(line), line);
    for (const line of [
      '[    1.0] EXT4-fs (vda): mounted filesystem',
      '[    9.2] Memory cgroup out of memory: Killed process 78 (node)',
      'a WARNING that is none',
    ])
      assert.equal(isTrouble(line), false, line);
  });

  test('keeps the last lines only', () => {
    const log = new ConsoleLog();
    for (let line = 0; line < 1000; line++) log.push(Buffer.from(`line ${line}\n`));
    assert.equal(log.lines().length, 200);
    assert.equal(log.lines().at(-1), 'line 999');
  });

  test('says why the machine ended', () => {
    assert.equal(consoleVerdict(['all is well']), undefined);
    assert.deepEqual(
      consoleVerdict(['[  1.0] Kernel panic - not syncing: Attempted to kill init!', 'more']),
      {
        kind: 'panic',
        why: 'Attempted to kill init!',
      },
    );
    const memory = consoleVerdict([
      'Kernel panic - not syncing: System is deadlocked on memory: no killable processes',
    ]);
    assert.equal(memory?.kind, 'memory');
    // As newer kernels have it.
    const newer = consoleVerdict(['[    1.3] Kernel panic - not syncing: System is deadlocked on memory']);
    assert.equal(newer?.kind, 'memory');
    assert.deepEqual(consoleVerdict(['tsengine-lab: no disks']), { kind: 'gave-up', why: 'no disks' });
  });

  test("tells the machine's lack of memory from a cgroup's", () => {
    const lines = [
      '[  9.1] Out of memory: Killed process 77 (python3) total-vm:1kB',
      '[  9.2] Memory cgroup out of memory: Killed process 78 (node) total-vm:1kB',
    ];
    assert.deepEqual(killedForMemory(lines), ['python3']);
  });

  test('shows a panic from its beginning, and else the last lines', () => {
    const lines = (count: number, what: string) => Array.from({ length: count }, (_, at) => `${what} ${at}`);
    assert.deepEqual(toBeShown(lines(50, 'a')), lines(50, 'a').slice(30));
    const panic = ['[ 1.0] Kernel panic - not syncing: why', ...lines(40, 'trace')];
    assert.deepEqual(toBeShown([...lines(50, 'a'), ...panic]), panic);
    // One that says little has what came before with it.
    assert.equal(toBeShown([...lines(50, 'a'), '[ 1.0] Kernel panic - not syncing: why']).length, 20);
  });

  test('has last words', () => {
    assert.equal(lastWords(['[    1.5] a', 'b']), 'its console ended with: a | b');
    assert.equal(lastWords([]), 'its console stayed empty');
  });
});
