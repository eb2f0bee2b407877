/** A driver on a data root of its own, as the conformance suite wants it. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { Job, JobResult, Subject } from '../../drivers/conformance/index.ts';
import type { DriverContext, DriverName } from '../../drivers/driver.ts';
import { driverFactory } from '../../drivers/registry.ts';
import { TsengineError } from '../../errors.ts';
import { CELLS_COMMAND, selfCommand } from './self.ts';

/** The driver's context on a filesystem; what it warns of is collected. */
export function contextOn(
  path: string,
  run: string,
  name: DriverName,
  warnings: string[],
  options: DriverContext['options'] = [],
): DriverContext {
  const dataRoot = `${path}/root`;
  return {
    home: `${dataRoot}/${name}`,
    runHome: `${run}/${name}`,
    options,
    warn: (message) => warnings.push(message),
  };
}

/** Opens the driver and makes it a subject. `scratch` is an empty folder on any filesystem. */
export async function makeSubject(
  context: DriverContext,
  name: DriverName,
  scratch: string,
): Promise<Subject> {
  const factory = await driverFactory(name);
  const open: Subject['open'] = (place) => factory.open({ ...context, ...place });
  const driver = await open();
  mkdirSync(scratch, { recursive: true });
  const { home, runHome, options } = context;
  return {
    driver,
    home,
    runHome,
    scratch,
    open,
    elsewhere: (job, environment) =>
      elsewhere({ driver: name, home, runHome, options, job }, environment ?? {}),
    [Symbol.asyncDispose]: () => driver.cleanup(),
  };
}

async function elsewhere(
  request: {
    readonly driver: DriverName;
    readonly home: string;
    readonly runHome: string;
    readonly options: DriverContext['options'];
    readonly job: Job;
  },
  environment: Readonly<Record<string, string>>,
): Promise<JobResult> {
  const [program = '', ...words] = selfCommand();
  const child = spawn(program, [...words, CELLS_COMMAND, '--job', JSON.stringify(request)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // There are many of these, and what they compile is the same each time.
    env: { ...process.env, NODE_COMPILE_CACHE: `${request.runHome}.compile-cache`, ...environment },
  });
  const output = collected(child.stdout);
  const errors = collected(child.stderr);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? undefined));
  });
  if (environment.TSENGINE_FAULT === undefined && status !== 0) {
    throw new TsengineError(
      'System',
      `${request.job.call} in another process ended with ${status}: ${errors()}`,
    );
  }
  return { status, output: output(), errors: errors() };
}

/** What a stream carries, as text, when it has ended. */
function collected(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
