/** The recount's part about images and their names: `repositories.json` and `imagedb/`. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { HEX64, json, look, names, type Problems, text } from './files.ts';

/** One image on record. */
export interface CountedImage {
  /** Its names, sorted. */
  readonly tags: readonly string[];
  /** Chain IDs (`sha256:…`), bottom first. */
  readonly layers: readonly string[];
}

const repositories = z.object({
  Repositories: z.nullish(z.record(z.string(), z.record(z.string(), z.string()))),
});
const config = z.looseObject({
  rootfs: z.looseObject({ diff_ids: z.optional(z.nullable(z.array(z.string()))) }),
});

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Chain IDs of diff IDs. Source: OCI image spec, config.md. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : `sha256:${sha256(`${below} ${diffId}`)}`);
  }
  return chain;
}

/** All names, and what they point to. */
export function countTags(imageDir: string, problems: Problems): Map<string, string> {
  const path = `${imageDir}/repositories.json`;
  const found = new Map<string, string>();
  if (look(path) === undefined) return found;
  const file = json(path, repositories, problems);
  for (const tags of Object.values(file?.Repositories ?? {})) {
    for (const [tag, id] of Object.entries(tags)) {
      found.set(tag, id);
      const exists = look(`${imageDir}/imagedb/content/sha256/${id.slice(7)}`) !== undefined;
      problems.expect(exists, `tag ${tag} points to ${id}, which is not there`);
    }
  }
  return found;
}

/** All images: each has the content that its id says, and its metadata belongs to somebody. */
export function countImages(
  imageDir: string,
  tags: ReadonlyMap<string, string>,
  problems: Problems,
): Map<string, CountedImage> {
  const content = `${imageDir}/imagedb/content/sha256`;
  const found = new Map<string, CountedImage>();
  for (const hex of names(content)) {
    const path = `${content}/${hex}`;
    if (!problems.expect(HEX64.test(hex), `${path} does not belong there`)) continue;
    problems.expect(sha256(readFileSync(path)) === hex, `${path}: its digest is not its name`);
    const id = `sha256:${hex}`;
    const layers = chainIds(json(path, config, problems)?.rootfs.diff_ids ?? []);
    const own = [...tags].filter(([, target]) => target === id).map(([tag]) => tag);
    found.set(id, { tags: own.sort(), layers });
  }
  countMetadata(imageDir, found, problems);
  return found;
}

function countMetadata(
  imageDir: string,
  images: ReadonlyMap<string, CountedImage>,
  problems: Problems,
): void {
  const folder = `${imageDir}/imagedb/metadata/sha256`;
  for (const hex of names(folder)) {
    problems.expect(images.has(`sha256:${hex}`), `${folder}/${hex} belongs to no image`);
    for (const name of names(`${folder}/${hex}`)) {
      problems.expect(['parent', 'lastUpdated'].includes(name), `${folder}/${hex}/${name} is left over`);
    }
    const parent = text(`${folder}/${hex}/parent`);
    if (parent !== undefined) problems.expect(images.has(parent), `${folder}/${hex}/parent: no ${parent}`);
  }
}
