/** Who is taken for what a dead runtime has left. The kills themselves are in test/e2e/kill-others.slow.test.ts. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchCreate } from '../../../src/engine/runtime/dead-runtime.ts';
import { runDirOf } from '../../../src/engine/runtime/run-dir.ts';
import { childrenOf, commandLine, isAlive } from '../../../src/linux/processes.ts';

const ID = 'd'.repeat(64);

/** A process in conmon's place with one child, which runs `command`. */
class Monitor implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'dead-runtime-'));
  readonly run = runDirOf(this.root, ID);
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  child = 0;

  constructor(command: readonly string[]) {
    mkdirSync(this.run.path, { recursive: true });
    this.#process = spawn('sh', ['-c', '"$@" & wait', 'sh', ...command], { stdio: 'ignore' });
    this.#ended = once(this.#process, 'exit');
    writeFileSync(this.run.monitorPid, String(this.#process.pid));
  }

  /** Waits until the child has become what it is to be. */
  async ready(isReady: (words: readonly string[]) => boolean): Promise<void> {
    const { pid = 0 } = this.#process;
    for (let tries = 0; tries < 500; tries++) {
      const [child] = childrenOf(pid);
      if (child !== undefined && isReady(commandLine(child))) {
        this.child = child;
        return;
      }
      await sleep(20);
    }
    throw new Error('the child did not start');
  }

  /** Whether a watch of so many milliseconds finds the runtime dead. */
  async isFoundDead(milliseconds: number): Promise<boolean> {
    using watch = watchCreate(this.run);
    const end = Date.now() + milliseconds;
    while (!watch.foundDead && Date.now() < end) await sleep(20);
    return watch.foundDead;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child > 0 && isAlive(this.child)) process.kill(this.child, 'SIGKILL');
    this.#process.kill('SIGKILL');
    await this.#ended;
    rmSync(this.root, { recursive: true });
  }
}

describe('a watch over a create', () => {
  test('finds the runtime dead when only others are left, and kills them', async () => {
    await using monitor = new Monitor(['sleep', '1000']);
    await monitor.ready(([program]) => program === 'sleep');
    assert.equal(await monitor.isFoundDead(10_000), true);
    for (let tries = 0; isAlive(monitor.child) && tries < 100; tries++) await sleep(20);
    assert.equal(isAlive(monitor.child), false);
  });

  test('leaves a child that names the container', async () => {
    await using monitor = new Monitor(['perl', '-e', 'sleep 1000', ID]);
    await monitor.ready(([program]) => program === 'perl');
    assert.equal(await monitor.isFoundDead(1000), false);
    assert.ok(isAlive(monitor.child));
  });

  test('leaves a child that is in the middle of exec, and has no command line', async () => {
    await using monitor = new Monitor(['perl', '-e', '$0 = ""; sleep 1000']);
    await monitor.ready((words) => words.join('') === '');
    assert.equal(await monitor.isFoundDead(1000), false);
    assert.ok(isAlive(monitor.child));
  });

  test('leaves what is there once the runtime has written the pid file', async () => {
    await using monitor = new Monitor(['sleep', '1000']);
    await monitor.ready(([program]) => program === 'sleep');
    writeFileSync(monitor.run.pid, String(monitor.child));
    assert.equal(await monitor.isFoundDead(1000), false);
    assert.ok(isAlive(monitor.child));
  });
});
