/**
 * Which devices were named for a root's pool, on record in `.tsengine/given-devices.json` below the driver's home. Nothing but
 * messages is made of it: a command that names none is told which. Docker does not keep that, and its roots have no such file
 * until they were opened here.
 */
import * as z from 'zod/mini';
import { hasErrno, type TsengineError } from '../../errors.ts';
import { shellWord } from '../../linux/command.ts';
import { pathExists, readTextIfAny, writeFileAtomic } from '../../linux/files.ts';
import { badOption } from '../storage-options.ts';
import { GIVEN_FILE, ownFolder } from './metadata.ts';
import { LVM_CONFIG, LVM_POOL_DEVICE, type PoolSource } from './options.ts';

const GIVEN = z.record(z.string(), z.string());

/** Storage options that name devices, with their values. */
export type GivenDevices = z.infer<typeof GIVEN>;

function optionsOf(source: PoolSource): GivenDevices {
  if (source.kind === 'pool') return { 'dm.thinpooldev': `/dev/mapper/${source.name}` };
  if (source.kind === 'lvm') return { 'dm.directlvm_device': source.setup.device };
  return {
    ...(source.data !== undefined && { 'dm.datadev': source.data }),
    ...(source.metadata !== undefined && { 'dm.metadatadev': source.metadata }),
  };
}

const fileOf = (home: string): string => `${ownFolder(home)}/${GIVEN_FILE}`;

/** What is on record, here or by Docker, which keeps what it told LVM. A record that cannot be read is none. */
export function givenDevices(home: string): GivenDevices | undefined {
  const text = readTextIfAny(fileOf(home));
  if (text === undefined)
    return pathExists(`${home}/${LVM_CONFIG}`)
      ? { 'dm.thinpooldev': `/dev/mapper/${LVM_POOL_DEVICE}` }
      : undefined;
  try {
    return GIVEN.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Puts on record what was named, if anything was. A full disk does not keep a root from being used. With the set's lock held. */
export function noteGiven(home: string, source: PoolSource): void {
  const given = optionsOf(source);
  if (Object.keys(given).length === 0) return;
  const text = JSON.stringify(given);
  if (readTextIfAny(fileOf(home)) === text) return;
  try {
    writeFileAtomic(fileOf(home), text, { durable: false, alone: true });
  } catch (error) {
    if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
  }
}

/** The error for a command that does not name the devices of the layers' pool. `pool` is its name where it is active. */
export function notGiven(home: string, given: GivenDevices, pool?: string): TsengineError {
  const options = Object.entries(given).map(([key, value]) => `--storage-opt ${key}=${shellWord(value)}`);
  const line = `devicemapper: the pool of ${home} is on devices that this command does not name: add ${options.join(' ')}, to every command or in daemon.json (storage-opts)`;
  return badOption(
    pool === undefined
      ? line
      : `${line}; where that pool is of a root that is gone, take it down: dmsetup remove ${shellWord(pool)}`,
  );
}
