/** Drivers on data roots of a test's own. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job, JobResult, Subject } from '../../src/drivers/conformance/index.ts';
import type { DriverContext, DriverName, GraphDriver } from '../../src/drivers/driver.ts';
import { driverFactory, openDriver } from '../../src/drivers/registry.ts';
import { FROM_SOURCES } from './compiled-tests.ts';
import { atExit, unmountBelow } from './loop.ts';

/** A data root in a folder of its own. */
export interface TestStore extends Disposable {
  readonly dataRoot: string;
  /** What the drivers warned of. */
  readonly warnings: string[];
  context(name: DriverName, options?: DriverContext['options']): DriverContext;
  open(name?: string, options?: DriverContext['options']): Promise<GraphDriver>;
}

/** Makes a data root below `parent` (the system's folder for temporary files when not given). */
export function makeStore(parent = tmpdir()): TestStore {
  const folder = mkdtempSync(join(parent, 'tsengine-store-'));
  const dataRoot = `${folder}/root`;
  mkdirSync(dataRoot, 0o710);
  const warnings: string[] = [];
  const context = (name: DriverName, options: DriverContext['options'] = []): DriverContext => ({
    home: `${dataRoot}/${name}`,
    runHome: `${folder}/run/${name}`,
    options,
    warn: (message) => warnings.push(message),
  });
  const close = atExit(() => {
    unmountBelow(folder);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    dataRoot,
    warnings,
    context,
    open: (name, options) => openDriver({ dataRoot, name, context: (driver) => context(driver, options) }),
    [Symbol.dispose]: close,
  };
}

/** What driver-child.ts is told, as JSON. */
export interface ChildRequest {
  readonly name: DriverName;
  readonly home: string;
  readonly runHome: string;
  readonly job: Job;
}

/** Runs a job in a process of its own. */
export async function runElsewhere(
  request: ChildRequest,
  environment: Readonly<Record<string, string>> = {},
): Promise<JobResult> {
  const script = join(import.meta.dirname, 'driver-child.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(request)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...FROM_SOURCES, ...environment },
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const status = await new Promise<number | undefined>((resolve) => {
    child.on('close', (code) => resolve(code ?? undefined));
  });
  if (environment.TSENGINE_FAULT === undefined && status !== 0) {
    throw new Error(`${request.job.call} elsewhere ended with ${status}: ${errors}`);
  }
  return { status, output, errors };
}

/** A driver on a data root below `parent`, as the conformance suite wants it. */
export async function makeSubject(name: DriverName, parent?: string): Promise<Subject> {
  const store = makeStore(parent);
  const scratch = mkdtempSync(join(parent ?? tmpdir(), 'tsengine-scratch-'));
  const removeScratch = atExit(() => rmSync(scratch, { recursive: true, force: true }));
  const { home, runHome } = store.context(name);
  const driver = await store.open(name);
  return {
    driver,
    home,
    runHome,
    scratch,
    open: async (place) =>
      place === undefined
        ? await store.open(name)
        : await (await driverFactory(name)).open({ ...store.context(name), ...place }),
    elsewhere: (job, environment) => runElsewhere({ name, home, runHome, job }, environment),
    [Symbol.asyncDispose]: async () => {
      await driver.cleanup();
      removeScratch();
      store[Symbol.dispose]();
    },
  };
}
