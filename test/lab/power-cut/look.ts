/** What a data root holds, in words that a cut and the machine that was cut have in common. */
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { treeOf } from '../../helpers/recount/layers.ts';
import type { Recount } from '../../helpers/recount.ts';
import { describeTree } from '../../helpers/trees.ts';

/** What there is, and what is in it. */
export const lookSchema = z.object({
  /** Images with their layers and names, containers with their image, and volumes; nothing that is random or that a cut ends. */
  held: z.string(),
  /** The files in the layer of each container and in each volume; those of images have digests. */
  contents: z.record(z.string(), z.string()),
});

export type Look = z.infer<typeof lookSchema>;

/** Looks at a root that has just been counted. */
export function look(counted: Recount, dataRoot: string, driver: string): Look {
  return { held: heldIn(counted), contents: contentsOf(counted, dataRoot, driver) };
}

function heldIn(counted: Recount): string {
  const imageOf = (id: string): string => counted.images.get(id)?.layers.join(' ') ?? 'none';
  const containers = [...counted.containers.values()].map((one) => `${one.name} of ${imageOf(one.image)}`);
  return JSON.stringify({
    tags: [...counted.tags].map(([tag, id]) => `${tag} is ${imageOf(id)}`).sort(),
    images: [...counted.images.values()].map(({ layers }) => layers.join(' ')).sort(),
    layers: [...counted.layers].sort(),
    containers: containers.sort(),
    volumes: counted.volumes.length,
  });
}

function contentsOf({ containers, volumes }: Recount, dataRoot: string, driver: string): Look['contents'] {
  const trees = [...containers].map(([id, { name }]) => {
    const record = `${dataRoot}/image/${driver}/layerdb/mounts/${id}/mount-id`;
    return [`container ${name}`, treeOf(dataRoot, driver, readFileSync(record, 'utf8').trim())] as const;
  });
  const data = volumes.map((name) => [`volume ${name}`, `${dataRoot}/volumes/${name}/_data`] as const);
  return Object.fromEntries([...trees, ...data].map(([name, tree]) => [name, describeTree(tree).join('\n')]));
}

/**
 * What differs of what had been reported done; `undefined` when nothing does. What the next step removes may be gone, and what
 * it makes or changes may be as it likes.
 */
export function lost(now: Look, done: Look, next: Look | undefined): string | undefined {
  if (now.held !== done.held && now.held !== next?.held)
    return `neither ${done.held} nor ${next?.held}, but ${now.held}`;
  for (const [name, files] of Object.entries(done.contents)) {
    const found = now.contents[name];
    if (found !== undefined && found !== files && found !== next?.contents[name])
      return `${name} has lost what was in it: ${found} instead of ${files}`;
  }
  return undefined;
}
