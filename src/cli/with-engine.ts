import type { Engine } from '../engine/api/services.ts';
import type { CommandContext } from './command.ts';

/** Opens the engine as the global flags say, runs `work` on it and closes it, whatever happens. */
export async function withEngine<T>(
  context: CommandContext,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const { openEngine } = await import('../engine/engine.ts');
  const { globals } = context;
  await using engine = await openEngine({
    ...(globals.dataRoot === undefined ? {} : { dataRoot: globals.dataRoot }),
    ...(globals.execRoot === undefined ? {} : { execRoot: globals.execRoot }),
    ...(globals.storageDriver === undefined ? {} : { storageDriver: globals.storageDriver }),
    ...(globals.configFile === undefined ? {} : { configFile: globals.configFile }),
    ...(globals.runtime === undefined ? {} : { runtime: globals.runtime }),
    ...(globals.logLevel === undefined ? {} : { logLevel: globals.logLevel }),
    readOnlyRoot: globals.readOnlyRoot,
    makesRoot: context.makesRoot,
    onlyReads: context.onlyReads,
    storageOpts: globals.storageOpts,
    warn,
  });
  try {
    return await work(engine);
  } catch (error) {
    throw await engine.explained(error);
  }
}

/** One line of warning for people, on standard error, as Docker's client writes it. */
export function warn(message: string): void {
  process.stderr.write(`WARNING: ${message}\n`);
}
