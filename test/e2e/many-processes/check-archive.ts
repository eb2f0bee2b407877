import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';

const manifestSchema = z.array(z.looseObject({ Config: z.string(), Layers: z.array(z.string()) }));
const configSchema = z.looseObject({ rootfs: z.looseObject({ diff_ids: z.array(z.string()) }) });

/** The plain members of a tar whose names are short, with what links among them point to. */
function members(tar: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const links: [string, string][] = [];
  const text = (at: number, length: number): string =>
    tar.toString('latin1', at, at + length).replace(/\0.*$/s, '');
  let at = 0;
  for (; at + 512 <= tar.length && tar[at] !== 0; ) {
    const prefix = text(at + 345, 155);
    const name = `${prefix === '' ? '' : `${prefix}/`}${text(at, 100)}`;
    const size = Number.parseInt(text(at + 124, 12), 8) || 0;
    if (text(at + 156, 1) === '2') links.push([name, text(at + 157, 100)]);
    else found.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  assert.ok(tar.length >= at + 1024, 'the archive has no end');
  for (const [name, target] of links) {
    const content = found.get(target.replace(/^\.\.\//, ''));
    assert.ok(content !== undefined, `${name} points to ${target}, which is not there`);
    found.set(name, content);
  }
  return found;
}

/** Fails unless what `save` wrote is whole: every layer has the digest that its image's configuration says. */
export function checkArchive(file: string): void {
  const parts = members(readFileSync(file));
  const part = (name: string): Buffer => {
    const content = parts.get(name);
    assert.ok(content !== undefined, `${name} is missing`);
    return content;
  };
  for (const { Config, Layers } of z.parse(manifestSchema, JSON.parse(part('manifest.json').toString()))) {
    const { rootfs } = z.parse(configSchema, JSON.parse(part(Config).toString()));
    const digests = Layers.map((name) => `sha256:${createHash('sha256').update(part(name)).digest('hex')}`);
    assert.deepEqual(digests, rootfs.diff_ids);
  }
}
