import type { Command } from 'commander';
import { errorMessage, hasErrno } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { writeOut } from '../output.ts';
import { warn, withEngine } from '../with-engine.ts';

/** `tsengine driver teardown`: takes away what `driver setup` made. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] DRIVER')
    .argument('<driver>')
    .option('-f, --force', 'Remove all images and containers that are in it as well, running ones too')
    .action(async (name: string, { force = false }: { readonly force?: boolean }) => {
      const { tearDownDriver } = await import('../../engine/driver-stores.ts');
      const { dataRoot, execRoot } = context.globals;
      if (force) await removeContainers(context, name);
      await tearDownDriver({ dataRoot, execRoot }, name, force);
      await writeOut(1, `${name}\n`);
    });
}

/** All containers of the driver. Those of a store that cannot be attached any more stay on record, which is said. */
async function removeContainers(context: CommandContext, name: string): Promise<void> {
  const globals = { ...context.globals, storageDriver: name };
  try {
    await withEngine({ ...context, globals }, async (engine) => {
      for (const { Id } of await engine.containers.list({ all: true }))
        await engine.containers.remove(Id, { force: true });
    });
  } catch (error) {
    if (!hasErrno(error, 'Unavailable')) throw error;
    warn(`containers stay on record: ${errorMessage(error)}`);
  }
}
