/** Who keeps a file system from being taken away. */
import { readFileSync, readlinkSync } from 'node:fs';
import { listDirectory } from './files.ts';
import { type MountInfo, readMountInfo } from './mountinfo.ts';
import { commandLine, processIds } from './processes.ts';

/** A process, and what it was started as. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** More of a command line than that says nothing more. */
const LONGEST_COMMAND = 60;
/** How many are named. */
const NAMED = 3;

/** What `/proc` tells of a process that may end meanwhile, or be nobody's that we may look at. */
function ifAny<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** The mount namespace of a process, by a name that only it has; empty where that is not to be known. */
export function mountNamespaceOf(pid: number | 'self'): string {
  return ifAny(() => readlinkSync(`/proc/${pid}/ns/mnt`), '');
}

function commandOf(pid: number): string {
  const words = Buffer.from(commandLine(pid).join(' '), 'latin1').toString();
  const text = words.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return text.length > LONGEST_COMMAND ? `${text.slice(0, LONGEST_COMMAND)}…` : text;
}

/** Whether the mount is at the path or below it. */
function isBelow({ mountPoint }: MountInfo, path: Buffer): boolean {
  if (mountPoint.length <= path.length) return mountPoint.equals(path);
  return mountPoint.subarray(0, path.length).equals(path) && mountPoint[path.length] === 0x2f;
}

const deviceOf = ({ major, minor }: MountInfo): string => `${major}:${minor}`;

/** The devices of what is mounted at the path and directly below it, and of what is of the same kind below that. */
function devicesBelow(path: Buffer): ReadonlySet<string> {
  const below = readMountInfo().filter((mount) => isBelow(mount, path));
  const ids = new Set(below.map(({ id }) => id));
  const kinds = new Set(below.filter(({ parent }) => !ids.has(parent)).map(({ type }) => type));
  return new Set(below.filter(({ type }) => kinds.has(type)).map(deviceOf));
}

/** Whether it has its root, working directory, program, an open file or a mapping there. */
function worksIn(pid: number, path: string): boolean {
  const isThere = (target: string): boolean => target === path || target.startsWith(`${path}/`);
  const links = [
    'cwd',
    'root',
    'exe',
    ...ifAny(() => listDirectory(`/proc/${pid}/fd`), []).map((fd) => `fd/${fd}`),
  ];
  if (links.some((link) => isThere(ifAny(() => readlinkSync(`/proc/${pid}/${link}`), '')))) return true;
  return ifAny(() => readFileSync(`/proc/${pid}/maps`, 'latin1'), '').includes(
    ` ${Buffer.from(path).toString('latin1')}/`,
  );
}

/**
 * The processes that work in what is mounted at `path` or below it, and of each other mount namespace that has it too the oldest.
 * The path is absolute and free of symbolic links. Looks at every process but for those that only serve what is mounted there: for
 * the message of what failed.
 */
export function holdersOf(path: string, servers: readonly number[] = []): readonly Holder[] {
  const bytes = Buffer.from(path);
  const devices = devicesBelow(bytes);
  const seen = new Set(['', mountNamespaceOf('self')]);
  const found: number[] = [];
  for (const pid of processIds().toSorted((a, b) => a - b)) {
    if (pid === process.pid || servers.includes(pid)) continue;
    const namespace = mountNamespaceOf(pid);
    const isNew = !seen.has(namespace);
    seen.add(namespace);
    const mounts = isNew ? ifAny(() => readMountInfo(`/proc/${pid}/mountinfo`), []) : [];
    if (mounts.some((mount) => isBelow(mount, bytes) || devices.has(deviceOf(mount))) || worksIn(pid, path))
      found.push(pid);
  }
  return found.map((pid) => ({ pid, command: commandOf(pid) }));
}

/** The first of them, for a message: `process 12 (sleep 9), 13 (sh) and 4 more`; `undefined` where there are none. */
export function holdersText(holders: readonly Holder[]): string | undefined {
  if (holders.length === 0) return undefined;
  const named = holders.slice(0, NAMED).map(({ pid, command }) => `${pid} (${command})`);
  const more = holders.length - named.length;
  return `process ${named.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}
