/** The floor of `run`: runc alone, on the bundle that tsengine makes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { type Contestant, settle, timed } from '../measure.ts';
import type { Peer } from './peer.ts';

/** What of a bundle is changed. */
const bundleSchema = z.looseObject({
  process: z.looseObject({ args: z.array(z.string()) }),
  linux: z.looseObject({ cgroupsPath: z.string() }),
});

/**
 * A contestant that runs `true` with runc in the mounted layer of a container of `peer`, which goes on meanwhile, with the same
 * configuration. Making the layer, mounting it and keeping records are what an engine adds.
 */
export function runcAlone(name: string, peer: Peer, image: string): Contestant {
  const id = peer.ok('run', '-d', '--network', 'none', image, 'sleep', '1000000').trim();
  const config = readFileSync(`${peer.work}/run/containers/${id}/config.json`, 'utf8');
  const parsed = bundleSchema.parse(JSON.parse(config));
  const bundle = `${peer.work}/bundle`;
  mkdirSync(bundle);
  const { process, linux } = parsed;
  const changed = {
    ...parsed,
    process: { ...process, args: ['true'] },
    linux: { ...linux, cgroupsPath: `${linux.cgroupsPath}-alone` },
  };
  writeFileSync(`${bundle}/config.json`, JSON.stringify(changed));
  const root = ['runc', '--root', `${peer.work}/runc`] as const;
  return {
    name,
    sample: async () => {
      await settle();
      return { [name]: timed({ argv: [...root, 'run', '--bundle', bundle, 'alone'] }) };
    },
  };
}
