import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { MNT_DETACH, mount, unmount } from '../../src/linux/mount.ts';
import { holdersOf, holdersText } from '../../src/linux/mount-holders.ts';
import { findMountAt } from '../../src/linux/mountinfo.ts';
import { until } from '../helpers/until.ts';

/** A folder with a file system of its own. */
function mounted(): Disposable & { readonly path: string } {
  const path = mkdtempSync(`${tmpdir()}/holders-`);
  mount({ source: 'none', target: path, type: 'tmpfs' });
  return {
    path,
    [Symbol.dispose]: () => {
      if (findMountAt(path) !== undefined) unmount(path, MNT_DETACH);
      rmdirSync(path);
    },
  };
}

function started(cwd: string, program: string, ...args: string[]): ChildProcess & Disposable {
  const child = spawn(program, args, { cwd, stdio: 'ignore' });
  return Object.assign(child, { [Symbol.dispose]: () => void child.kill('SIGKILL') });
}

test('who works in a file system holds it, with its command', () => {
  using folder = mounted();
  using child = started(folder.path, 'sleep', '1234');
  const holders = holdersOf(folder.path);
  assert.ok(holders.some(({ pid, command }) => pid === child.pid && command === 'sleep 1234'));
});

test('another mount namespace holds it, also when it is unmounted here', async () => {
  using folder = mounted();
  using child = started('/', 'unshare', '--mount', '--propagation', 'private', 'sleep', '1234');
  const namespace = (pid: number | 'self' | undefined) => readlinkSync(`/proc/${pid}/ns/mnt`);
  await until(() => namespace(child.pid) !== namespace('self'));
  const isHeld = () => holdersOf(folder.path).some(({ pid }) => pid === child.pid);
  assert.ok(isHeld());
  unmount(folder.path);
  assert.ok(isHeld());
});

test('a message names three of them, and long commands are cut', () => {
  assert.equal(holdersText([]), undefined);
  assert.equal(holdersText([{ pid: 7, command: 'sh' }]), 'process 7 (sh)');
  const many = [1, 2, 3, 4, 5].map((pid) => ({ pid, command: 'sleep 9' }));
  assert.equal(holdersText(many), 'process 1 (sleep 9), 2 (sleep 9), 3 (sleep 9) and 2 more');
});
