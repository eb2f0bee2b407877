/** An engine under measurement: its command line on a data root of its own, on a store of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { errorMessage } from '../../src/errors.ts';
import type { Bench } from '../bench.ts';
import { type Command, type Reading, timed } from '../measure.ts';
import { openDocker } from '../suite/measure/docker-engine.ts';
import type { Engine } from '../suite/measure/engine.ts';
import { openPodman } from '../suite/measure/podman-engine.ts';
import { openTsengine } from '../suite/measure/tsengine-engine.ts';
import type { Store, StoreKind } from '../suite/stores/store.ts';
import { makePlace, storeOf } from './store.ts';

/** Which engine, and how it is set up. */
export interface PeerOptions {
  readonly engine: Engine['name'];
  /** By tsengine's name of it; overlay2 when not given. */
  readonly driver?: string;
  /** What its series are called: as the engine, when not given. */
  readonly name?: string;
  /** Of tsengine: whether a layer's data is on disk before the layer counts, which others do not care for. */
  readonly syncLayers?: boolean;
  /** What its data root is on; the driver's own filesystem when not given. */
  readonly store?: StoreKind;
  /** Fills the data root before the engine sees it. */
  prepare?(dataRoot: string): void;
}

/** An engine, ready. Disposing of it stops it and takes its store away. */
export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly engine: Engine['name'];
  readonly dataRoot: string;
  readonly store: Store;
  /** The engine's folder outside of its data root: sockets, mounts, the daemon's pid. */
  readonly work: string;
  /** A command of the engine as a process. */
  argv(...args: string[]): Command;
  /** What a command takes; it must succeed. */
  time(...args: string[]): Reading;
  /** Runs a command that must succeed and gives its standard output. */
  ok(...args: string[]): string;
  /** Waits until nothing of the engine works any more after a command has ended. */
  quiet(): Promise<void>;
  /** Stops the engine, and leaves its store. */
  stop(): Promise<void>;
}

/** Opens an engine on a fresh store. */
export async function openPeer(bench: Bench, options: PeerOptions): Promise<Peer> {
  const { driver = 'overlay2', store: kind = storeOf(driver), name = options.engine } = options;
  const closing = new AsyncDisposableStack();
  try {
    const { store, work: place } = closing.use(await makePlace(bench, kind));
    const [dataRoot, work] = [`${store.path}/root`, `${place}/engine`];
    mkdirSync(dataRoot);
    options.prepare?.(dataRoot);
    const opened = await openEngine(bench, { ...options, driver }, { dataRoot, work, store });
    const engine = closing.use(opened);
    // Of ours it is known, and the sources that run here know it less well.
    if (engine.name !== 'tsengine') bench.version(engine.name, engine.version);
    const { words, env } = engine.command;
    const argv = (...args: string[]): Command => ({ argv: [...words, ...args], env });
    return {
      ...{ name, engine: engine.name, dataRoot, store, work, argv },
      time: (...args) => timed(argv(...args)),
      ok: (...args) => output(argv(...args)),
      quiet: async () => await engine.quiet(),
      stop: async () => await engine[Symbol.asyncDispose](),
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

/** Opens an engine that need not be there and sets it up. Where that cannot be done it is on record why, and there is none. */
export async function openPeerIfAny(
  bench: Bench,
  options: PeerOptions,
  setUp: (peer: Peer) => void | Promise<void>,
): Promise<Peer | undefined> {
  let peer: Peer | undefined;
  try {
    peer = await openPeer(bench, options);
    await setUp(peer);
    return peer;
  } catch (error) {
    bench.missing(options.name ?? options.engine, errorMessage(error));
    await peer?.[Symbol.asyncDispose]();
    return undefined;
  }
}

async function openEngine(
  { launcher }: Bench,
  { engine, driver, syncLayers = false }: PeerOptions & { readonly driver: string },
  { dataRoot, work, store }: Pick<Peer, 'dataRoot' | 'work' | 'store'>,
): Promise<Engine> {
  const options = { driver, dataRoot, work, storageOptions: store.storageOptions };
  switch (engine) {
    case 'docker':
      return await openDocker(options);
    case 'podman':
      return openPodman({ ...options, driver: driver === 'overlay2' ? 'overlay' : driver });
    case 'tsengine':
      return openTsengine({ ...options, config: { 'sync-layers': syncLayers }, program: [launcher] });
  }
}

function output({ argv, env }: Command): string {
  const [file, ...args] = argv;
  const ended = spawnSync(file, args, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (ended.status === 0) return ended.stdout;
  throw new Error(`${argv.join(' ')}: ended with ${ended.status}: ${ended.stderr}`, { cause: ended.error });
}
