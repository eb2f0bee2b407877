/** What a data root holds, as the engine shows it: for drivers whose layers nobody else can read. */
import { createHash } from 'node:crypto';
import { openEngine } from '../../../src/engine/engine.ts';
import { names } from '../../helpers/recount/files.ts';
import { describeTree } from '../../helpers/trees.ts';
import type { Look } from './look.ts';

async function digestOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

/** Opens the root, reads all there is, and leaves it. Throws when something is not whole, or is warned about. */
export async function lookByEngine(
  dataRoot: string,
  execRoot: string,
  { driver, options }: { readonly driver: string; readonly options: readonly string[] },
): Promise<Look> {
  const warnings: string[] = [];
  await using engine = await openEngine({
    ...{ dataRoot, execRoot, storageDriver: driver, storageOpts: options },
    warn: (message) => warnings.push(message),
  });
  const images = await engine.images.list({ all: true });
  const containers = await engine.containers.list({ all: true });
  const contents: Record<string, string> = {};
  for (const { Id } of images) contents[`image ${Id}`] = await digestOf(engine.images.save([Id]));
  for (const { Id, Names } of containers)
    contents[`container ${Names.join()}`] = await digestOf(engine.containers.export(Id));
  const volumes = names(`${dataRoot}/volumes`).filter((name) => /^[0-9a-f]{64}$/.test(name));
  for (const name of volumes)
    contents[`volume ${name}`] = describeTree(`${dataRoot}/volumes/${name}/_data`).join('\n');
  if (warnings.length > 0) throw new Error(`warned: ${warnings.join('; ')}`);
  const held = JSON.stringify({
    images: images.map(({ Id, RepoTags }) => `${Id} ${[...RepoTags].sort().join()}`).sort(),
    containers: containers.map(({ Names, ImageID }) => `${Names.join()} of ${ImageID}`).sort(),
    volumes: volumes.length,
  });
  return { held, contents };
}
