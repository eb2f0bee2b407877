/**
 * A process that opens the engine once and carries out what it is sent: `node engine-process.ts OPTIONS-AS-JSON`, with an
 * IPC channel. Answers each operation with its `Ending`.
 */
import { createReadStream, writeFileSync } from 'node:fs';
import { containerConfigSchema } from '../../../src/engine/api/container-config.ts';
import { hostConfigSchema } from '../../../src/engine/api/host-config.ts';
import type { Engine, ImageDeleteItem } from '../../../src/engine/api/services.ts';
import { openEngine } from '../../../src/engine/engine.ts';
import { errorMessage } from '../../../src/errors.ts';
import {
  type Ending,
  type Operation,
  type Said,
  SCRIPT,
  SCRIPT_CODE,
  SLEEP,
  STOP_TIMEOUT,
} from './operation.ts';

const nothing: Said = { untagged: [], deleted: [] };

function deletions(items: readonly ImageDeleteItem[]): Said {
  return {
    untagged: items.flatMap((item) => ('Untagged' in item ? [item.Untagged] : [])),
    deleted: items.flatMap((item) => ('Deleted' in item ? [item.Deleted] : [])),
  };
}

async function save(engine: Engine, image: string, file: string): Promise<void> {
  const parts: Buffer[] = [];
  for await (const chunk of engine.images.save([image])) parts.push(Buffer.from(chunk));
  writeFileSync(file, Buffer.concat(parts));
}

async function run(engine: Engine, operation: Operation & { readonly kind: 'run' }): Promise<void> {
  const detached = operation.how === 'detach';
  const { id } = await engine.containers.create({
    name: operation.name,
    startsNext: true,
    config: containerConfigSchema.parse({
      Image: operation.image,
      Cmd: detached ? SLEEP : ['sh', '-c', SCRIPT],
    }),
    hostConfig: hostConfigSchema.parse({ NetworkMode: 'none', AutoRemove: operation.how === 'rm' }),
  });
  await engine.containers.start(id);
  if (detached) return;
  const code = await engine.containers.wait(id);
  // Another process may have killed it.
  if (code !== SCRIPT_CODE && code !== 137) throw new Error(`the container ended with ${code}`);
}

async function pruneImages(engine: Engine, all: boolean): Promise<Said> {
  const pruned = await engine.images.prune(new Map([['dangling', [String(!all)]]]));
  return deletions(pruned.deleted);
}

async function look(engine: Engine, at: 'ps' | 'images' | 'inspect', name: string): Promise<void> {
  if (at === 'ps') await engine.containers.list({ all: true });
  else if (at === 'images') await engine.images.list({ all: true });
  else await engine.images.inspect(name);
}

async function carryOut(engine: Engine, operation: Operation): Promise<Said> {
  const { images, containers } = engine;
  switch (operation.kind) {
    case 'load':
      await images.load(createReadStream(operation.archive));
      return nothing;
    case 'import': {
      const reference = operation.tag === undefined ? {} : { reference: operation.tag };
      return { ...nothing, made: await images.import(createReadStream(operation.file), reference) };
    }
    case 'tag':
      await images.tag(operation.source, operation.target);
      return nothing;
    case 'rmi':
      return deletions(await images.remove(operation.name, { force: operation.force }));
    case 'run':
      await run(engine, operation);
      return nothing;
    case 'rm':
      await containers.remove(operation.name, { force: operation.force });
      return nothing;
    case 'commit': {
      const reference = operation.tag === undefined ? {} : { reference: operation.tag };
      return { ...nothing, made: await containers.commit(operation.container, reference) };
    }
    case 'save':
      await save(engine, operation.image, operation.file);
      return nothing;
    case 'look':
      await look(engine, operation.at, operation.name);
      return nothing;
    case 'prune-images':
      return await pruneImages(engine, operation.all);
    case 'prune-containers':
      await containers.prune(new Map());
      return nothing;
    case 'prune-system':
      await containers.prune(new Map());
      return await pruneImages(engine, operation.all);
    case 'start':
      await containers.start(operation.name);
      return nothing;
    case 'stop':
      await containers.stop(operation.name, { timeout: STOP_TIMEOUT });
      return nothing;
    case 'kill':
      await containers.kill(operation.name);
      return nothing;
  }
}

const [options = '{}'] = process.argv.slice(2);
const engine = await openEngine(JSON.parse(options));
let last: Promise<unknown> = Promise.resolve();
process.on('message', (operation: Operation) => {
  last = carryOut(engine, operation)
    .then(
      (said): Ending => ({ how: 'done', said }),
      (error: unknown): Ending => ({ how: 'failed', message: errorMessage(error) }),
    )
    .then((ending) => process.send?.(ending));
});
process.on('disconnect', () => void last.finally(() => engine[Symbol.asyncDispose]()));
