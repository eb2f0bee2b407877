/** Where the tests of this folder take place: a data root that is prepared once and put back, and the bundle on it. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../../src/engine/api/services.ts';
import { openEngine } from '../../../src/engine/engine.ts';
import { testBundle } from '../../helpers/bundle.ts';
import { ownCgroup, removeCgroups } from '../../helpers/cgroups.ts';
import { atExit, makeFilesystem, unmountBelow } from '../../helpers/loop.ts';
import { monitored, type Recount, recount } from '../../helpers/recount.ts';
import { testRuntime } from '../../helpers/scope.ts';

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command gets besides its words. */
export interface Given {
  /** `TSENGINE_FAULT`. */
  readonly fault?: string | undefined;
  /** `TSENGINE_FAULT_LOG`. */
  readonly log?: string | undefined;
  /** A file for its standard input. */
  readonly input?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** A data root with a bundle. Dispose of it in the end. */
export interface Stage extends AsyncDisposable {
  readonly driver: string;
  readonly base: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Below which its containers have their cgroups. */
  readonly cgroupParent: string;
  /** Runs a command of the bundle. */
  run(words: readonly string[], given?: Given): Promise<Ended>;
  /** Runs a command that must succeed. Gives its standard output. */
  ok(words: readonly string[], given?: Given): Promise<string>;
  /** Opens the engine in this process, as the next command would. */
  open(): Promise<Engine>;
  /** Keeps the roots as they are now. */
  keep(): void;
  /** Puts the roots back as they were kept. Nothing may run. */
  putBack(): void;
  count(): Recount;
  /**
   * Next commands: one that lists images, one that lists containers, one that opens the driver. What runs may come to its end.
   * Fails when anything is wrong then that is not `expected`.
   */
  settle(what: string, expected?: RegExp): Promise<Recount>;
  /** Words of a command that show the roots to it. */
  readonly globals: readonly string[];
}

/** Puts trees into the folder `to`, in the place of what has their names there. */
function copyTrees(trees: readonly string[], to: string): void {
  for (const tree of trees) rmSync(to + tree.slice(tree.lastIndexOf('/')), { recursive: true, force: true });
  execFileSync('cp', ['-a', ...trees, to]);
}

/** Runs a program to its end. */
export async function runProgram(command: readonly string[], given: Given = {}): Promise<Ended> {
  const [program = '', ...words] = command;
  const input = given.input === undefined ? 'ignore' : openSync(given.input, 'r');
  const child = spawn(program, words, {
    stdio: [input, 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...testBundle().env,
      ...given.env,
      ...(given.fault === undefined ? {} : { TSENGINE_FAULT: given.fault }),
      ...(given.log === undefined ? {} : { TSENGINE_FAULT_LOG: given.log }),
    },
  });
  if (typeof input === 'number') closeSync(input);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/**
 * Makes a stage, in memory: it is put back a thousand times. Layers are not synced unless `daemon` says so; `dataRoot` is
 * elsewhere when it is given.
 */
export function openStage(driver: string, daemon: object = {}, elsewhere?: string): Stage {
  const cgroupParent = ownCgroup();
  const memory = makeFilesystem('tmpfs');
  const base = memory.path;
  const dataRoot = elsewhere ?? `${base}/data`;
  const execRoot = `${base}/exec`;
  const configFile = `${base}/daemon.json`;
  const runtime = testRuntime();
  const config = {
    'sync-layers': false,
    'cgroup-parent': cgroupParent,
    ...(runtime === undefined ? {} : { 'default-runtime': runtime }),
    ...daemon,
  };
  writeFileSync(configFile, JSON.stringify(config));
  const close = atExit(() => {
    endContainers(execRoot);
    unmountBelow(dataRoot);
    memory[Symbol.dispose]();
    removeCgroups(cgroupParent);
  });
  const roots = ['--data-root', dataRoot, '--exec-root', execRoot, '--config-file', configFile];
  const globals = [...roots, '--storage-driver', driver];
  const run = (words: readonly string[], given: Given = {}): Promise<Ended> =>
    runProgram([...testBundle().command, ...globals, ...words], given);
  const stage: Stage = {
    driver,
    base,
    dataRoot,
    execRoot,
    cgroupParent,
    globals,
    run,
    async ok(words, given) {
      const { code, stdout, stderr } = await run(words, given);
      if (code !== 0) throw new Error(`tsengine ${words.join(' ')}: ended with ${code}: ${stderr}`);
      return stdout;
    },
    open: () => openEngine({ dataRoot, execRoot, configFile, storageDriver: driver, warn: () => {} }),
    keep() {
      mkdirSync(`${base}/kept`, { recursive: true });
      copyTrees([dataRoot, execRoot], `${base}/kept`);
    },
    putBack() {
      copyTrees([`${base}/kept/data`, `${base}/kept/exec`], base);
    },
    count: () => recount(dataRoot, execRoot, driver, cgroupParent),
    settle: (what, expected) => settle(stage, what, expected),
    async [Symbol.asyncDispose]() {
      close();
    },
  };
  return stage;
}

/** Kills what still runs, for a test that failed: the first processes of containers, whose conmons then end. */
function endContainers(execRoot: string): void {
  for (const id of monitored(execRoot)) {
    try {
      const pid = Number(readFileSync(`${execRoot}/containers/${id}/pid`, 'utf8'));
      if (pid > 1) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}

/** As long as a container that was left to itself may take to end. Milliseconds. */
const PATIENCE = 30_000;

async function settle(stage: Stage, what: string, expected?: RegExp): Promise<Recount> {
  const end = Date.now() + PATIENCE;
  const unexpected = ({ problems }: Recount) => problems.filter((one) => expected?.test(one) !== true);
  for (;;) {
    await using engine = await stage.open();
    await engine.images.list({ all: true });
    await engine.containers.list({ all: true });
    await engine.info();
    const counted = stage.count();
    // What ends by itself, conmon and the process it calls, has its time to do so.
    if (unexpected(counted).length === 0) return counted;
    if (Date.now() > end || !isBusy(stage)) assert.deepEqual(unexpected(stage.count()), [], what);
    await sleep(20);
  }
}

/** Whether a process works on the roots: conmon, what it calls, or a runtime. */
export function isBusy({ base }: Pick<Stage, 'base'>): boolean {
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${base}/`);
    } catch {
      return false;
    }
  });
}

/** Waits until nothing works on the roots any more. */
export async function quiet(stage: Pick<Stage, 'base'>, what: string): Promise<void> {
  for (const end = Date.now() + PATIENCE; isBusy(stage); await sleep(10)) {
    assert.ok(Date.now() < end, `${what}: something still runs`);
  }
}

/** Writes a file beside the data root, which the bundle's exit command obeys: see bundle.ts. */
export function armExit(stage: Stage, fault: string | undefined): void {
  const path = `${stage.base}/exit-fault`;
  if (fault === undefined) rmSync(path, { force: true });
  else writeFileSync(path, fault);
}
