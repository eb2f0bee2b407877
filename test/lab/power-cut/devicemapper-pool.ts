/** The pool of a data root in a machine: taken down, so that the disk below can be, and looked at by the thin pool's own tools. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import * as z from 'zod/mini';
import { names, text } from '../../helpers/recount/files.ts';

const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const deviceSchema = z.looseObject({ device_id: z.number() });

/** The path of a file of the pool's. */
const below = (dataRoot: string, name: string): string => `${dataRoot}/devicemapper/${name}`;

/** Removes the devices of the root and then its pool, if they are there. Its loop devices go with it. */
export function takeDown(dataRoot: string): void {
  const home = `${dataRoot}/devicemapper`;
  if (statSync(home, { throwIfNoEntry: false }) === undefined) return;
  const ours = new RegExp(`^docker-[0-9]+:[0-9]+-${statSync(home).ino}-\\S+`);
  const devices = run('dmsetup', 'ls')
    .split('\n')
    .flatMap((line) => ours.exec(line)?.[0] ?? []);
  const isPool = (name: string): number => Number(name.endsWith('-pool'));
  for (const name of devices.sort((a, b) => isPool(a) - isPool(b)))
    run('dmsetup', 'remove', '--retry', '--noudevsync', name);
}

/** What is wrong with the metadata of a pool that is down, and with what the driver has on record of it; `undefined` when nothing is. */
export function poolFault(dataRoot: string): string | undefined {
  const metadata = below(dataRoot, 'devicemapper/metadata');
  if (statSync(metadata, { throwIfNoEntry: false }) === undefined) return undefined;
  run('thin_check', '-q', metadata);
  const dump = run('thin_dump', metadata);
  const inPool = [...dump.matchAll(/<device dev_id="(\d+)"/g)].map(([, id]) => Number(id)).sort();
  const files = readdirSync(below(dataRoot, 'metadata')).filter((name) => !name.endsWith('-metadata'));
  const onRecord = files.map((name) => {
    const record: unknown = JSON.parse(readFileSync(below(dataRoot, `metadata/${name}`), 'utf8'));
    return deviceSchema.parse(record).device_id;
  });
  if (inPool.join() !== onRecord.sort().join())
    return `the pool has the devices ${inPool.join()}, and on record are ${onRecord.join()}`;
  const needed = ['base', ...layersOnRecord(`${dataRoot}/image/devicemapper/layerdb`)].sort();
  const found = files.sort();
  return needed.join() === found.join()
    ? undefined
    : `layers ${needed.join()}, and devices of ${found.join()}`;
}

/** The driver's ids of all layers on record. */
function layersOnRecord(layerdb: string): readonly string[] {
  const value = (file: string): string[] => {
    const found = text(file)?.trim();
    return found === undefined ? [] : [found];
  };
  return [
    ...names(`${layerdb}/sha256`).flatMap((name) => value(`${layerdb}/sha256/${name}/cache-id`)),
    ...names(`${layerdb}/mounts`).flatMap((name) =>
      ['mount-id', 'init-id'].flatMap((file) => value(`${layerdb}/mounts/${name}/${file}`)),
    ),
  ];
}
