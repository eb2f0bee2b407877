/** The recount's part about containers: their folders, names and volumes. */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { HEX64, json, linkText, look, names, type Problems, text } from './files.ts';

/** One container on record. */
export interface CountedContainer {
  readonly name: string;
  /** `sha256:…` of its image. */
  readonly image: string;
  /** What its record says; whether that is true is checked as well. */
  readonly running: boolean;
  readonly pid: number;
  readonly exitCode: number;
  readonly everStarted: boolean;
  readonly autoRemove: boolean;
  /** Names of its volumes. */
  readonly volumes: readonly string[];
}

const file = z.looseObject({
  ID: z.string(),
  Name: z.string(),
  Image: z.string(),
  Driver: z.string(),
  State: z.looseObject({
    Running: z.boolean(),
    Pid: z.number(),
    ExitCode: z.number(),
    StartedAt: z.string(),
  }),
  MountPoints: z.nullish(
    z.record(z.string(), z.looseObject({ Type: z.string(), Name: z.optional(z.string()) })),
  ),
});
const hostFile = z.looseObject({ AutoRemove: z.optional(z.boolean()) });

/** All containers of a driver, by id. */
export function countContainers(
  dataRoot: string,
  driver: string,
  problems: Problems,
): Map<string, CountedContainer> {
  const folder = `${dataRoot}/containers`;
  const found = new Map<string, CountedContainer>();
  for (const id of names(folder)) {
    if (!problems.expect(HEX64.test(id), `${folder}/${id} is left over`)) continue;
    const config = json(`${folder}/${id}/config.v2.json`, file, problems);
    const host = json(`${folder}/${id}/hostconfig.json`, hostFile, problems);
    for (const name of names(`${folder}/${id}`)) {
      problems.expect(!name.startsWith('.tmp-'), `${folder}/${id}/${name} is left over`);
    }
    if (config === undefined || host === undefined) continue;
    if (config.Driver !== driver) continue;
    problems.expect(config.ID === id, `${folder}/${id} is the folder of ${config.ID}`);
    const { State } = config;
    found.set(id, {
      name: config.Name.replace(/^\//, ''),
      image: config.Image,
      running: State.Running,
      pid: State.Pid,
      exitCode: State.ExitCode,
      everStarted: !State.StartedAt.startsWith('0001-'),
      autoRemove: host.AutoRemove === true,
      volumes: Object.values(config.MountPoints ?? {})
        .filter(({ Type }) => Type === 'volume')
        .map(({ Name = '' }) => Name),
    });
  }
  checkNames(`${dataRoot}/tsengine/names/${driver}`, found, problems);
  return found;
}

/** The file that stands for a name in the index: one that is too long for a file is hashed. */
function linkOf(name: string): string {
  return name.length <= 255 ? name : `+${createHash('sha256').update(name).digest('hex')}`;
}

/** Each name belongs to one container of a driver; the index of names, where there is one for this boot, says the same. */
function checkNames(
  folder: string,
  containers: ReadonlyMap<string, CountedContainer>,
  problems: Problems,
): void {
  const byName = new Map<string, string>();
  for (const [id, { name }] of containers) {
    const other = byName.get(linkOf(name));
    problems.expect(other === undefined, `${id} and ${other} are both called ${name}`);
    byName.set(linkOf(name), id);
  }
  const boot = text('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  if (!(text(`${folder}/.stamp`) ?? '').startsWith(boot)) return;
  for (const name of names(folder)) {
    if (name === '.stamp') continue;
    const id = linkText(`${folder}/${name}`) ?? '';
    problems.expect(byName.get(name) === id, `${folder}/${name} leads to ${id}, which has not that name`);
  }
  for (const [name, id] of byName) {
    problems.expect(linkText(`${folder}/${name}`) === id, `container ${id}: ${folder} has no ${name}`);
  }
}

/** All volumes. Those of containers are there, and none is half made. */
export function countVolumes(
  dataRoot: string,
  containers: ReadonlyMap<string, CountedContainer>,
  problems: Problems,
): string[] {
  const folder = `${dataRoot}/volumes`;
  const found = names(folder).filter((name) => !['metadata.db', 'backingFsBlockDev'].includes(name));
  for (const name of found) {
    problems.expect(look(`${folder}/${name}/_data`)?.isDirectory() === true, `volume ${name} has no _data`);
  }
  for (const [id, { volumes }] of containers) {
    for (const name of volumes) {
      problems.expect(found.includes(name), `container ${id}: its volume ${name} is missing`);
    }
  }
  return found;
}
