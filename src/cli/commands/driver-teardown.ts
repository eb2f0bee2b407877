import type { Command } from 'commander';
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
      const removeContainers = (): Promise<void> => removeAll(context, name);
      await tearDownDriver({ dataRoot, execRoot }, name, { force, removeContainers, warn });
      await writeOut(1, `${name}\n`);
    });
}

/** Removes all containers of the driver, running ones too. */
async function removeAll(context: CommandContext, name: string): Promise<void> {
  const globals = { ...context.globals, storageDriver: name };
  await withEngine({ ...context, globals }, async (engine) => {
    for (const { Id } of await engine.containers.list({ all: true }))
      await engine.containers.remove(Id, { force: true });
  });
}
