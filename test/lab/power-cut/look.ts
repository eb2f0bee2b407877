/** What a data root holds, in words that a cut and the machine that was cut have in common. */
import type { Recount } from '../../helpers/recount.ts';

/** Images with their layers and names, containers with their image, and volumes; nothing that is random or that a cut ends. */
export function look(counted: Recount): string {
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
