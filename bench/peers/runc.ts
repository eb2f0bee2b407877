/** The floor of `run`: runc alone, on the bundle that tsengine makes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { findProgram } from '../../src/engine/runtime/programs.ts';
import type { Bench } from '../bench.ts';
import { tinyArchive, tinyTag } from '../fixtures.ts';
import { type Contestant, settle, timed } from '../measure.ts';
import { openPeer, type Peer } from './peer.ts';

/** What of a bundle is changed. */
const bundleSchema = z.looseObject({
  process: z.looseObject({ args: z.array(z.string()) }),
  linux: z.looseObject({ cgroupsPath: z.string() }),
});

/** One that takes part, with a store of its own. */
export interface Floor extends Contestant, AsyncDisposable {}

/**
 * A contestant that runs `true` with runc in the mounted layer of a container of tsengine's, which goes on meanwhile, with the same
 * configuration. Making the layer, mounting it and keeping records are what an engine adds. Where there is no runc it is on record.
 */
export async function openRuncAlone(bench: Bench, name: string): Promise<Floor | undefined> {
  const runc = findProgram('runc');
  if (runc === undefined) {
    bench.missing(name, 'runc is not installed');
    return undefined;
  }
  const peer = await openPeer(bench, { engine: 'tsengine' });
  try {
    const argv = [runc, ...runWords(peer)] as const;
    return {
      name,
      sample: async () => {
        await settle();
        return { [name]: timed({ argv }) };
      },
      [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
    };
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts the container, makes the bundle beside it, and gives runc's words. */
function runWords(peer: Peer): string[] {
  peer.ok('load', '-q', '-i', tinyArchive());
  const id = peer.ok('run', '-d', '--network', 'none', tinyTag, 'sleep', '1000000').trim();
  const config = readFileSync(`${peer.work}/run/containers/${id}/config.json`, 'utf8');
  const { process, linux, ...rest } = bundleSchema.parse(JSON.parse(config));
  const cgroupsPath = `${linux.cgroupsPath}-alone`;
  const changed = { ...rest, process: { ...process, args: ['true'] }, linux: { ...linux, cgroupsPath } };
  const bundle = `${peer.work}/bundle`;
  mkdirSync(bundle);
  writeFileSync(`${bundle}/config.json`, JSON.stringify(changed));
  return ['--root', `${peer.work}/runc`, 'run', '--bundle', bundle, 'alone'];
}
