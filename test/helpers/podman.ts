/** podman with folders of a test's own: it sees no other images, and leaves nothing. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { atExit, unmountBelow } from './loop.ts';

/** A podman. Dispose of it in the end. */
export interface Podman extends Disposable {
  /** Runs a command that must succeed, and gives its standard output, trimmed. */
  (...args: string[]): string;
}

/** Why there is no podman here; `undefined` when there is one. */
export function podmanMissing(): string | undefined {
  if (process.geteuid?.() !== 0) return 'not root';
  return spawnSync('podman', ['--version']).status === 0 ? undefined : 'podman is not installed';
}

/** Gives a podman without images, which stores what it gets with the driver vfs. */
export function openPodman(): Podman {
  const base = mkdtempSync(`${tmpdir()}/ts-podman-`);
  const close = atExit(() => {
    unmountBelow(base);
    removeTree(base);
  });
  const folders = ['--root', `${base}/root`, '--runroot', `${base}/run`, '--tmpdir', `${base}/tmp`];
  const flags = [
    ...folders,
    '--storage-driver',
    'vfs',
    '--cgroup-manager',
    'cgroupfs',
    '--events-backend',
    'none',
  ];
  const run = (...args: string[]): string =>
    execFileSync('podman', [...flags, ...args], { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 })
      .toString()
      .trim();
  return Object.assign(run, { [Symbol.dispose]: close });
}
