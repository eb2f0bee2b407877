/** What a filesystem itself can do for storage drivers. */
import { spawn } from 'node:child_process';
import { closeSync, lstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorMessage, hasErrno, LackingHereError } from '../../errors.ts';
import { tellsEntryTypes } from '../../linux/directory-types.ts';
import { idmappedClone } from '../../linux/idmap.ts';
import { ficlone } from '../../linux/space.ts';
import { hasProjectQuota, makeBacking } from './backings.ts';
import type { Attempt, Place } from './feature.ts';
import { runTool } from './tool.ts';

/** In the order in which they are shown. */
export const filesystemFeatures: readonly Attempt[] = [
  {
    name: 'd_type',
    attempt: ({ folder }) => {
      mkdirSync(`${folder}/dir`);
      writeFileSync(`${folder}/file`, '');
      return tellsEntryTypes(folder) ? undefined : 'entries of directories come without a type';
    },
  },
  { name: 'reflink', attempt: ({ folder }) => reflinked(folder) },
  { name: 'project quota', attempt: limitedByProject },
  { name: 'idmapped mounts', attempt: ({ folder }) => mappedOwners(folder) },
];

function reflinked(folder: string): string | undefined {
  writeFileSync(`${folder}/source`, Buffer.alloc(65_536, 'x'));
  const from = openSync(`${folder}/source`, 'r');
  const to = openSync(`${folder}/copy`, 'w');
  try {
    ficlone(from, to);
  } finally {
    closeSync(from);
    closeSync(to);
  }
  // A clone, and no second name.
  writeFileSync(`${folder}/source`, 'changed');
  const isWhole = readFileSync(`${folder}/copy`).equals(Buffer.alloc(65_536, 'x'));
  return isWhole ? undefined : 'the clone has not what was cloned';
}

/** A project's number that nobody else has on a filesystem of our own. */
const PROJECT = '4711';
const LIMIT_MEGABYTES = 1;

/** On a filesystem of the same kind that is made with quotas, where there is such a kind: one folder is limited, and filled. */
async function limitedByProject({ backing, folder, work, images }: Place): Promise<string | undefined> {
  if (!hasProjectQuota(backing)) return fillLimited(folder, dirname(folder));
  const aside = `${work}/quota`;
  mkdirSync(aside);
  const options = { work: aside, images, projectQuota: true };
  using mounted = await makeBacking(backing, options).catch((error: unknown) => {
    // It was made without quotas a moment ago: so it is them that the kernel has not.
    if (error instanceof LackingHereError || !hasErrno(error, 'Unavailable')) throw error;
    throw new Error(errorMessage(error), { cause: error });
  });
  return fillLimited(mounted.path, mounted.path);
}

/** Limits a folder in `parent`, on the filesystem that is mounted at `mountPoint`, and fills it. */
function fillLimited(parent: string, mountPoint: string): string | undefined {
  const folder = `${parent}/limited`;
  mkdirSync(folder);
  const quota = (command: string): string =>
    runTool('xfs_quota', ['-f', '-x', '-c', command, mountPoint], 'xfsprogs');
  quota(`project -s -p ${folder} ${PROJECT}`);
  quota(`limit -p bhard=${LIMIT_MEGABYTES}m ${PROJECT}`);
  return fillsUp(`${folder}/file`, LIMIT_MEGABYTES * 4);
}

/**
 * Writes until the quota says no. By a process without CAP_SYS_RESOURCE, whom no quota holds on most filesystems; a container
 * has not got it either.
 */
function fillsUp(path: string, megabytes: number): string | undefined {
  const words = ['--bounding-set', '-sys_resource', '--', 'dd', 'if=/dev/zero', `of=${path}`, 'bs=1M'];
  try {
    runTool('setpriv', [...words, `count=${megabytes}`, 'conv=fsync'], 'util-linux');
  } catch (error) {
    if (
      lstatSync(path).size < megabytes * 1024 * 1024 &&
      /quota exceeded|no space left/i.test(errorMessage(error))
    )
      return undefined;
    throw error;
  }
  return 'more could be written than the quota allows';
}

/** The first owner of the mapping that is tried. */
const MAPPED = 100_000;

/** Whether a mount of the folder can show other owners than the files have. */
async function mappedOwners(folder: string): Promise<string | undefined> {
  writeFileSync(`${folder}/file`, '');
  const owner = lstatSync(`${folder}/file`).uid;
  // A user namespace lives as long as a process in it.
  const holder = spawn('unshare', ['--user', '--', 'sleep', '600'], { stdio: 'ignore' });
  try {
    const { pid } = holder;
    if (pid === undefined) throw new Error('no user namespace: unshare(1) did not start');
    await inOwnUserNamespace(pid);
    for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${map}`, `0 ${MAPPED} 65536\n`);
    using clone = idmappedClone(folder, `/proc/${pid}/ns/user`);
    const shown = lstatSync(`${clone.path}/file`).uid;
    return shown === owner + MAPPED ? undefined : `the owner ${owner} is shown as ${shown}`;
  } finally {
    holder.kill('SIGKILL');
  }
}

/** Waits until the process has left our user namespace. */
async function inOwnUserNamespace(pid: number): Promise<void> {
  const { readlinkSync } = await import('node:fs');
  const { setTimeout: sleep } = await import('node:timers/promises');
  const ours = readlinkSync('/proc/self/ns/user');
  for (let look = 0; look < 1200; look++) {
    if (readlinkSync(`/proc/${pid}/ns/user`) !== ours) return;
    await sleep(25);
  }
  throw new Error('no user namespace: this kernel makes none');
}
