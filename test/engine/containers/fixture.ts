/** An engine with a tiny image, for tests that run containers for real. */
import assert from 'node:assert/strict';
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { containerConfigSchema } from '../../../src/engine/api/container-config.ts';
import { hostConfigSchema } from '../../../src/engine/api/host-config.ts';
import type { Attachment, Engine, EngineOptions } from '../../../src/engine/api/services.ts';
import { listDirectory } from '../../../src/linux/files.ts';
import { unmount } from '../../../src/linux/mount.ts';
import { readMountInfo } from '../../../src/linux/mountinfo.ts';
import { tinyRootfs } from '../../helpers/base-image.ts';
import { containersWithCgroup, ownCgroup, removeCgroups } from '../../helpers/cgroups.ts';
import { type TestRoot, testRoot } from '../../helpers/engine.ts';

/** What a container is made from, beside the image. */
export interface Wanted {
  readonly name?: string;
  readonly config?: object;
  readonly host?: object;
  readonly input?: string | Buffer;
}

/** How a container ended, and what it wrote. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly order: readonly string[];
}

/** An engine of a test's own. Dispose of it: that fails when anything of its containers is left. */
export interface Fixture extends AsyncDisposable {
  readonly root: TestRoot;
  readonly engine: Engine;
  readonly execRoot: string;
  readonly cgroupParent: string;
  /** Opens the same roots once more, as another process would. */
  another(options?: EngineOptions): Promise<Engine>;
  create(command: readonly string[], wanted?: Wanted): Promise<string>;
  /** Makes a container, runs it in the foreground with `--rm` and gives what it did. */
  run(command: readonly string[], wanted?: Wanted): Promise<Ran>;
  /** Mounts below both roots. */
  mounts(): string[];
  /** Command lines of conmons that watch containers of these roots. */
  monitors(): string[];
}

async function* fileStream(path: string): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(path)) yield Buffer.from(chunk);
}

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

/** Node's arguments for a command of ours on the fixture's roots, in a process of its own. */
export function commandLineFor(fixture: Fixture, ...words: string[]): string[] {
  const { dataRoot, configFile = '' } = fixture.root.options;
  const globals = [
    '--data-root',
    dataRoot ?? '',
    '--exec-root',
    fixture.execRoot,
    '--config-file',
    configFile,
  ];
  return ['--disable-warning=ExperimentalWarning', main, ...globals, '-s', 'overlay2', ...words];
}

/** All processes' command lines, by pid. */
export function commandLines(): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      found.set(Number(name), readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0'));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** Waits until the condition holds. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  seconds = 120,
): Promise<void> {
  for (let waited = 0; waited < seconds * 1000; waited += 25) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`waited ${seconds} s in vain: ${what}`);
}

/** Opens an engine on fresh roots, in a folder whose name begins with `prefix`, and imports the tiny image as `tiny`. */
export async function openFixture(storageDriver = 'overlay2', prefix?: string): Promise<Fixture> {
  const cgroupParent = ownCgroup();
  const root = testRoot(storageDriver, { 'sync-layers': false, 'cgroup-parent': cgroupParent }, prefix);
  const engine = await root.open();
  await engine.images.import(fileStream(await tinyRootfs()), { reference: 'tiny' });
  const execRoot = `${root.base}/exec`;
  const mounts = () =>
    readMountInfo()
      .map((entry) => entry.mountPoint.toString())
      .filter((path) => path.startsWith(`${root.base}/`));
  const monitors = () =>
    [...commandLines().values()]
      .map((words) => words.join(' '))
      .filter((line) => line.includes('conmon') && line.includes(`${root.base}/`));

  const create = async (command: readonly string[], wanted: Wanted = {}): Promise<string> => {
    const config = containerConfigSchema.parse({
      Image: 'tiny',
      Cmd: command,
      AttachStdout: true,
      AttachStderr: true,
      Labels: {},
      ...(wanted.input === undefined ? {} : { OpenStdin: true, StdinOnce: true, AttachStdin: true }),
      ...wanted.config,
    });
    const hostConfig = hostConfigSchema.parse({ NetworkMode: 'none', ...wanted.host });
    const named = wanted.name === undefined ? {} : { name: wanted.name };
    return (await engine.containers.create({ ...named, config, hostConfig })).id;
  };

  const run = async (command: readonly string[], wanted: Wanted = {}): Promise<Ran> => {
    const id = await create(command, { ...wanted, host: { AutoRemove: true, ...wanted.host } });
    return await runInForeground(engine, id, wanted.input);
  };

  return {
    root,
    engine,
    execRoot,
    cgroupParent,
    another: (options = {}) => root.open(options),
    create,
    run,
    mounts,
    monitors,
    [Symbol.asyncDispose]: async () => {
      const left = await engine.containers.list({ all: true });
      for (const { Id } of left) await engine.containers.remove(Id, { force: true, volumes: true });
      await engine[Symbol.asyncDispose]();
      try {
        await eventually('conmon ends', () => monitors().length === 0, 30);
        assert.deepEqual(mounts(), [], 'mounts are left');
        assert.deepEqual(listDirectory(`${execRoot}/containers`), [], 'run folders are left');
        await eventually('the cgroups of containers go', () => containersWithCgroup(cgroupParent).size === 0);
      } finally {
        for (const path of mounts().reverse()) unmount(path, 2);
        removeCgroups(cgroupParent);
        root[Symbol.dispose]();
      }
    },
  };
}

/** Starts a container attached, gives it its input, and waits for its end. */
export async function runInForeground(engine: Engine, id: string, input?: string | Buffer): Promise<Ran> {
  const parts: { readonly stream: string; readonly data: Buffer }[] = [];
  let reading: Promise<void> = Promise.resolve();
  let writing: Promise<void> = Promise.resolve();
  const attach = (attachment: Attachment) => {
    reading = (async () => {
      for await (const chunk of attachment.output()) parts.push(chunk);
    })();
    if (input === undefined) return;
    writing = (async () => {
      await attachment.write(Buffer.from(input));
      await attachment.endInput();
    })();
  };
  await engine.containers.start(id, { attach });
  const code = await engine.containers.wait(id);
  await Promise.all([reading, writing]);
  const of = (wanted: string) =>
    Buffer.concat(parts.filter(({ stream }) => stream === wanted).map(({ data }) => data)).toString();
  return { code, stdout: of('stdout'), stderr: of('stderr'), order: parts.map(({ stream }) => stream) };
}
