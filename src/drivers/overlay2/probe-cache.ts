/**
 * The probe's result, kept in the run folder, because a probe costs a few mounts and every command opens the driver.
 * What makes it stale is in its first line: another boot (another kernel, perhaps), another filesystem, also one made
 * anew on the same device, another user namespace, another form of this file. Anything unexpected in it means that the probe is done again.
 */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { makeDirectories, writeFileAtomic } from '../../linux/files.ts';
import { statfs } from '../../linux/statfs.ts';
import type { Abilities, ProbeResult } from './probe.ts';

const FILE = 'overlay2-abilities';

function key(home: string): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return `3 ${boot} ${lstatSync(home).dev} ${statfs(home).id} ${readlinkSync('/proc/self/ns/user')}`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function parse(text: string | undefined, wanted: string): Abilities | undefined {
  const [head, options, userxattr, notNative, end] = text?.split('\n') ?? [];
  if (head !== wanted || options === undefined || notNative === undefined || end === undefined)
    return undefined;
  return { options, userxattr: userxattr === 'userxattr', notNative };
}

/** What `probe` gave for this home since the machine was started; runs it when that is not known. Refusals are not kept. */
export async function cachedAbilities(
  home: string,
  runHome: string,
  probe: () => Promise<ProbeResult>,
): Promise<ProbeResult> {
  const path = `${runHome}/${FILE}`;
  const wanted = key(home);
  const known = parse(read(path), wanted);
  if (known !== undefined) return { abilities: known };
  const result = await probe();
  if ('reason' in result) return result;
  const { options, userxattr, notNative } = result.abilities;
  makeDirectories(runHome, 0o700);
  const lines = [wanted, options, userxattr ? 'userxattr' : '', notNative, ''];
  writeFileAtomic(path, lines.join('\n'), { durable: false });
  return result;
}
