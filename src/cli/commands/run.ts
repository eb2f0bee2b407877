import { type Command, Option } from 'commander';
import type { Engine } from '../../engine/api/services.ts';
import type { CommandContext } from '../command.ts';
import { type ContainerFlags, containerFlags, containerRequest } from '../container-flags.ts';
import { createContainer } from '../create-container.ts';
import { runInForeground } from '../foreground.ts';
import { printLine } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface RunFlags extends ContainerFlags {
  readonly detach?: boolean;
  readonly sigProxy: boolean;
}

/** `tsengine run`: makes a container and runs it, in the foreground unless `-d`. */
export function register(command: Command, context: CommandContext): void {
  containerFlags(command)
    .usage('[OPTIONS] IMAGE [COMMAND] [ARG...]')
    .argument('<image>')
    .argument('[command...]')
    .option('-d, --detach', 'Run container in background and print container ID')
    .option('--sig-proxy', 'Proxy received signals to the process (default true)', true)
    .addOption(new Option('--no-sig-proxy').hideHelp())
    .action(async (image: string, words: string[], flags: RunFlags) => {
      const detached = flags.detach === true;
      const request = { ...containerRequest(flags, image, words, detached), startsNext: true };
      await withEngine(context, async (engine) => {
        const id = await createContainer(engine, request, flags.cidfile);
        let running = false;
        const started = (): void => {
          running = true;
        };
        try {
          if (detached) await engine.containers.start(id);
          else process.exitCode = await foreground(engine, id, flags, started);
        } catch (error) {
          if (flags.rm === true && !running) await removeQuietly(engine, id);
          throw error;
        } finally {
          // Docker names the container that did not start as well.
          if (detached) await printLine(id);
        }
      });
    });
}

function foreground(engine: Engine, id: string, flags: RunFlags, started: () => void): Promise<number> {
  return runInForeground(engine, id, {
    stdin: flags.interactive === true,
    stdout: true,
    stderr: true,
    signalProxy: flags.sigProxy,
    started,
  });
}

/** The container could not be started: what is reported is why, not whether it could be removed. */
async function removeQuietly(engine: Engine, id: string): Promise<void> {
  await engine.containers.remove(id, { force: true }).catch(() => undefined);
}
