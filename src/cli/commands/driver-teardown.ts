import type { Command } from 'commander';
import type { CommandContext } from '../command.ts';
import { addDataRootFlag, type DataRootFlag, withDataRoot } from '../data-root-flag.ts';
import { writeOut } from '../output.ts';
import { warn, withEngine } from '../with-engine.ts';

interface TeardownFlags extends DataRootFlag {
  readonly force?: boolean;
}

/** `tsengine driver teardown`: takes away what `driver setup` made. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] DRIVER')
    .description('DRIVER is btrfs, zfs or devicemapper; driver ls says which have a store.')
    .argument('<driver>')
    .option('-f, --force', 'Remove all images and containers that are in it as well, running ones too');
  addDataRootFlag(command, 'Take it away from this data root').action(
    async (name: string, flags: TeardownFlags) => {
      const { tearDownDriver } = await import('../../engine/driver-stores.ts');
      const { force = false } = flags;
      const placed = withDataRoot(context, flags);
      const { dataRoot, execRoot } = placed.globals;
      const removeContainers = (): Promise<void> => removeAll(placed, name);
      await tearDownDriver({ dataRoot, execRoot }, name, { force, removeContainers, warn });
      await writeOut(1, `${name}\n`);
    },
  );
}

/** Removes all containers of the driver, running ones too. */
async function removeAll(context: CommandContext, name: string): Promise<void> {
  const globals = { ...context.globals, storageDriver: name };
  await withEngine({ ...context, globals }, async (engine) => {
    for (const { Id } of await engine.containers.list({ all: true }))
      await engine.containers.remove(Id, { force: true });
  });
}
