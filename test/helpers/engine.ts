/** Engines on data roots of a test's own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Engine, EngineOptions } from '../../src/engine/api/services.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { FROM_SOURCES } from './compiled-tests.ts';
import { unmountBelow } from './loop.ts';
import { testRuntime } from './scope.ts';

/** A folder with a data root and an exec root in it. Dispose of it in the end. */
export interface TestRoot extends Disposable {
  readonly base: string;
  readonly dataRoot: string;
  /** What `openEngine` takes for it. */
  readonly options: EngineOptions;
  /** Warnings so far. */
  readonly warnings: string[];
  open(more?: EngineOptions): Promise<Engine>;
}

/**
 * Makes a fresh root, whose containers have the runtime that the run is for. `daemon` is the content of its `daemon.json`; layers are not synced unless it says so. `prefix` is
 * how the name of its folder begins.
 */
export function testRoot(
  storageDriver: string,
  daemon: object = { 'sync-layers': false },
  prefix = 'ts-root-',
): TestRoot {
  const base = mkdtempSync(`${tmpdir()}/${prefix}`);
  const configFile = `${base}/daemon.json`;
  const runtime = testRuntime();
  writeFileSync(
    configFile,
    JSON.stringify({ ...(runtime === undefined ? {} : { 'default-runtime': runtime }), ...daemon }),
  );
  const warnings: string[] = [];
  const options: EngineOptions = {
    dataRoot: `${base}/data`,
    execRoot: `${base}/exec`,
    configFile,
    storageDriver,
    warn: (message) => warnings.push(message),
  };
  return {
    base,
    dataRoot: `${base}/data`,
    options,
    warnings,
    open: (more = {}) => openEngine({ ...options, ...more }),
    [Symbol.dispose]: () => {
      // What a killed process left mounted would keep the folder from being removed.
      unmountBelow(base);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

const CHILD = new URL('./engine-child.ts', import.meta.url).pathname;

/** How a child process ended. */
export interface ChildResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one operation on the root in a process of its own; see engine-child.ts. `fault` is `TSENGINE_FAULT`, `log` the file of `TSENGINE_FAULT_LOG`. */
export async function runChild(
  root: TestRoot,
  operation: readonly string[],
  { fault, log }: { readonly fault?: string; readonly log?: string } = {},
): Promise<ChildResult> {
  const { warn: _, ...options } = root.options;
  const env = {
    ...process.env,
    ...FROM_SOURCES,
    ...(fault === undefined ? {} : { TSENGINE_FAULT: fault }),
    ...(log === undefined ? {} : { TSENGINE_FAULT_LOG: log }),
  };
  const child = spawn(process.execPath, [CHILD, JSON.stringify(options), ...operation], { env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** What is on disk of a store: to see that nothing was left, or nothing changed. */
export interface StoreState {
  readonly images: readonly string[];
  readonly layers: readonly string[];
  readonly mounts: readonly string[];
  readonly temporary: readonly string[];
  readonly leases: readonly string[];
  readonly driverLayers: readonly string[];
}

function names(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

/** Looks at the folders of a data root. */
export function storeState(dataRoot: string, driver: string): StoreState {
  const image = `${dataRoot}/image/${driver}`;
  const below: Record<string, string> = { vfs: 'vfs/dir', btrfs: 'btrfs/subvolumes' };
  const layerFolder = `${dataRoot}/${below[driver] ?? driver}`;
  return {
    images: names(`${image}/imagedb/content/sha256`),
    layers: names(`${image}/layerdb/sha256`),
    mounts: names(`${image}/layerdb/mounts`),
    temporary: names(`${image}/layerdb/tmp`),
    leases: names(`${dataRoot}/tsengine/leases`),
    driverLayers: names(layerFolder).filter((name) => /^[0-9a-f]{64}(-init)?$/.test(name)),
  };
}
