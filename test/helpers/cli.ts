/** The product as its users have it: `bin/tsengine` on a data root of the test's own, which goes when the test ends. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { unmount } from '../../src/linux/mount.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';
import { removeTree } from '../../src/linux/remove-tree.ts';
import { containersWithCgroup, isCgroupThere, ownCgroup, removeCgroups } from './cgroups.ts';
import { testRuntime } from './scope.ts';

const launcher = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command gets besides its arguments. */
export interface Given {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The command line on one data root. Disposing of it removes the containers, the mounts and the root, and fails when a
 * container has left a cgroup.
 */
export interface Cli extends AsyncDisposable {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** The cgroup of its own below which all its containers are. */
  readonly cgroupParent: string;
  /** The words before a command: launcher, driver, roots and configuration. */
  readonly command: readonly string[];
  /** Runs a command and says how it ended. */
  run(args: readonly string[], given?: Given): Ended;
  /** Runs a command that must succeed and gives its standard output. */
  ok(args: readonly string[], given?: Given): string;
  /** The same, for output that need not be text. */
  runBytes(args: readonly string[]): Buffer;
  /** The mounts that exist below both roots right now. */
  mounts(): string[];
}

/** How long the end of a container that nobody waits for may take. Milliseconds. */
const PATIENCE = 10_000;

/** The containers whose cgroups stay. What ends in the background has its time. systemd removes its scopes itself. */
async function leftCgroups(parent: string): Promise<string[]> {
  for (const end = Date.now() + PATIENCE; ; await sleep(20)) {
    const left = [...containersWithCgroup(parent)];
    if (left.length === 0 || Date.now() > end) return left;
  }
}

/** Removes the cgroup, once the monitors that ended last have left it. */
async function removeOwnCgroup(parent: string): Promise<void> {
  for (const end = Date.now() + PATIENCE; isCgroupThere(parent) && Date.now() < end; await sleep(20))
    removeCgroups(parent);
}

/** Opens the command line for `driver` on a new data root below `parent`. */
export function openCli(driver: string, parent = tmpdir()): Cli {
  const dataRoot = mkdtempSync(`${parent}/tsengine-test-`);
  const execRoot = mkdtempSync('/run/tsengine-test-');
  const cgroupParent = ownCgroup();
  const configFile = `${execRoot}.json`;
  const runtime = testRuntime();
  const config = {
    'cgroup-parent': cgroupParent,
    ...(runtime === undefined ? {} : { 'default-runtime': runtime }),
  };
  writeFileSync(configFile, JSON.stringify(config));
  const roots = ['--data-root', dataRoot, '--exec-root', execRoot, '--config-file', configFile];
  const command = [launcher, '--storage-driver', driver, ...roots];
  const spawned = (args: readonly string[], given: Given = {}) => {
    const [program = '', ...words] = command;
    const ended = spawnSync(program, [...words, ...args], {
      input: given.input ?? '',
      env: { ...process.env, ...given.env },
      maxBuffer: 1024 * 1024 * 1024,
    });
    if (ended.error !== undefined) throw ended.error;
    return ended;
  };
  const run = (args: readonly string[], given: Given = {}): Ended => {
    const ended = spawned(args, given);
    return { status: ended.status, stdout: ended.stdout.toString(), stderr: ended.stderr.toString() };
  };
  const mounts = () =>
    readMountInfo()
      .map((entry) => entry.mountPoint.toString())
      .filter((path) => path.startsWith(`${dataRoot}/`) || path.startsWith(`${execRoot}/`));
  return {
    dataRoot,
    execRoot,
    cgroupParent,
    command,
    run,
    ok: (args, given) => {
      const ended = run(args, given);
      if (ended.status !== 0)
        throw new Error(`tsengine ${args.join(' ')}: ended with ${ended.status}: ${ended.stderr}`);
      return ended.stdout;
    },
    runBytes: (args) => {
      const ended = spawned(args);
      if (ended.status !== 0) throw new Error(`tsengine ${args.join(' ')}: ${ended.stderr.toString()}`);
      return ended.stdout;
    },
    mounts,
    [Symbol.asyncDispose]: async () => {
      const left = run(['ps', '-aq', '--no-trunc'])
        .stdout.split('\n')
        .filter((id) => id !== '');
      if (left.length > 0) run(['rm', '-f', ...left]);
      const cgroups = await leftCgroups(cgroupParent);
      for (const path of mounts().reverse()) unmount(path, 2);
      removeTree(dataRoot);
      removeTree(execRoot);
      rmSync(configFile);
      await removeOwnCgroup(cgroupParent);
      if (cgroups.length > 0) throw new Error(`cgroups of containers are left: ${cgroups.join(', ')}`);
    },
  };
}
