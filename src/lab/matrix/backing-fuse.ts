/** A filesystem in user space over a folder: what a data root on sshfs, gocryptfs or a cloud drive stands on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { TsengineError } from '../../errors.ts';
import { findCommand } from '../../linux/command.ts';
import { findMountAt } from '../../linux/mountinfo.ts';
import { programEnv } from '../run-program.ts';
import { missingTool } from './tool.ts';

/** Files keep their inode numbers, and no attribute is older than the question: else two names of a file look like two files. */
const HONEST = 'use_ino,attr_timeout=0,entry_timeout=0';

/** How often the mount is looked for, and how long it is waited for in between. */
const LOOKS = 1200;
const PAUSE = 50;

/** Mounts `from` at `to` through FUSE and gives what ends the server, once nothing of it is mounted. */
export async function mountFuse(from: string, to: string): Promise<() => void> {
  if (!existsSync('/dev/fuse')) throw new TsengineError('Unavailable', 'this kernel has no FUSE');
  if (findCommand('bindfs') === undefined) throw missingTool('bindfs', 'bindfs');
  const child = spawn('bindfs', ['-f', '-o', HONEST, from, to], {
    env: programEnv(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-2000);
  });
  child.on('error', (error) => {
    said = error.message;
  });
  for (let look = 0; look < LOOKS && isRunning(child); look++) {
    if (findMountAt(to) !== undefined) return () => child.kill('SIGKILL');
    await sleep(PAUSE);
  }
  child.kill('SIGKILL');
  const why = said.trim().split('\n').at(-1) ?? '';
  throw new TsengineError('Unavailable', `bindfs: ${why === '' ? 'it mounted nothing' : why}`);
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null && child.pid !== undefined;
}
