import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './tar-tools.ts';

const DOCKERD = '/usr/sbin/dockerd';
const DOCKER = '/usr/bin/docker';

/** A Docker daemon of this test's own: data root, socket and network namespace are new, and gone afterwards. */
export class DockerDaemon {
  readonly #directory: string;
  readonly #process: ChildProcess;

  private constructor(directory: string, process: ChildProcess) {
    this.#directory = directory;
    this.#process = process;
  }

  /** Why no daemon can run here; `undefined` when one can. */
  static obstacle(): string | undefined {
    if (process.getuid?.() !== 0) return 'needs root';
    if (!existsSync(DOCKERD) || !existsSync(DOCKER)) return 'docker.io is not installed';
    return run(DOCKERD, ['--version']).includes(' 20.10.') ? undefined : 'the dockerd here is not 20.10';
  }

  /** Starts a daemon and waits until it answers. */
  static async start(): Promise<DockerDaemon> {
    const directory = mkdtempSync(join(tmpdir(), 'tsengine-docker-'));
    const at = (name: string) => join(directory, name);
    const process = spawn(
      'unshare',
      [
        '-n',
        DOCKERD,
        '--data-root',
        at('root'),
        '--exec-root',
        at('exec'),
        '-H',
        `unix://${at('sock')}`,
        '-p',
        at('pid'),
        '--storage-driver',
        'overlay2',
        '--bridge',
        'none',
        '--iptables=false',
      ],
      { stdio: 'ignore' },
    );
    const daemon = new DockerDaemon(directory, process);
    for (let tries = 0; tries < 300; tries++) {
      try {
        if (
          existsSync(at('sock')) &&
          daemon.docker('info', '--format', '{{.Driver}}').toString() === 'overlay2\n'
        )
          return daemon;
      } catch {
        // Not up yet.
      }
      if (process.exitCode !== null) break;
      await sleep(100);
    }
    await daemon[Symbol.asyncDispose]();
    throw new Error('dockerd did not start');
  }

  get dataRoot(): string {
    return join(this.#directory, 'root');
  }

  /** Runs a docker command and returns its output. */
  docker(...args: readonly string[]): Buffer {
    return run(DOCKER, ['-H', `unix://${join(this.#directory, 'sock')}`, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const gone = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGTERM');
      await gone;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
