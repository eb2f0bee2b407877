/** The recount's part about what runs: mounts and their counts, locks, leases, the exec root, processes. */
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import type { CountedContainer } from './containers.ts';
import { look, names, type Problems, text } from './files.ts';
import type { CountedMount } from './layers.ts';

/** Locks that have one file for ever. All others come and go with what they are about. */
const LASTING_LOCKS = ['version', 'images', 'layers', 'container-names'];

/** Mount points below the roots, in the kernel's order. */
export function mountsBelow(...roots: readonly string[]): string[] {
  const prefixes = roots.flatMap((root) => (look(root) === undefined ? [] : [`${realpathSync(root)}/`]));
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((point) => prefixes.some((prefix) => point.startsWith(prefix)));
}

/** The ids of containers that a conmon of this exec root watches. Zombies have no command line and are not among them. */
export function monitored(execRoot: string): Set<string> {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const words = (text(`/proc/${pid}/cmdline`) ?? '').split('\0');
    if (words[0]?.endsWith('conmon') !== true || !words.some((word) => word.startsWith(`${execRoot}/`)))
      continue;
    const id = words[words.indexOf('--cid') + 1];
    if (id !== undefined) found.add(id);
  }
  return found;
}

/** What runs is watched and mounted once, and nothing else is. */
export function checkRuns(
  dataRoot: string,
  execRoot: string,
  driver: string,
  containers: ReadonlyMap<string, CountedContainer>,
  mounts: ReadonlyMap<string, CountedMount>,
  problems: Problems,
): void {
  const running = new Map([...containers].filter(([, one]) => one.running));
  const watched = monitored(execRoot);
  for (const [id, { pid }] of running) {
    problems.expect(watched.has(id), `container ${id} is on record as running, and nobody watches it`);
    problems.expect(look(`/proc/${pid}`) !== undefined, `container ${id}: its process ${pid} does not exist`);
    problems.expect(look(`${execRoot}/containers/${id}`) !== undefined, `container ${id} has no run folder`);
  }
  for (const id of watched) problems.expect(running.has(id), `conmon watches ${id}, which is not running`);
  const expected = new Map([...running.keys()].map((id) => [mounts.get(id)?.mountId ?? '', id]));
  checkMounts(dataRoot, execRoot, driver, expected, problems);
  checkExecRoot(execRoot, driver, new Set(running.keys()), expected, problems);
}

/** `expected`: ids of the driver's that are mounted for a running container, and whose. */
function checkMounts(
  dataRoot: string,
  execRoot: string,
  driver: string,
  expected: ReadonlyMap<string, string>,
  problems: Problems,
): void {
  const found = mountsBelow(dataRoot, execRoot);
  const allowed = new Set<string>();
  const real = look(dataRoot) === undefined ? dataRoot : realpathSync(dataRoot);
  for (const [mountId, id] of expected) {
    allowed.add(`${real}/containers/${id}/mounts/shm`);
    if (driver !== 'overlay2') continue;
    const merged = `${real}/overlay2/${mountId}/merged`;
    allowed.add(merged);
    problems.expect(found.includes(merged), `container ${id} runs, and ${merged} is not mounted`);
  }
  for (const point of found) problems.expect(allowed.has(point), `${point} is mounted`);
  problems.expect(new Set(found).size === found.length, `something is mounted twice: ${found.join(' ')}`);
  if (driver !== 'overlay2') return;
  for (const id of names(`${dataRoot}/overlay2`)) {
    const left = !expected.has(id) && look(`${dataRoot}/overlay2/${id}/merged`) !== undefined;
    problems.expect(!left, `${dataRoot}/overlay2/${id}/merged is left over`);
  }
}

function checkExecRoot(
  execRoot: string,
  driver: string,
  running: ReadonlySet<string>,
  mounted: ReadonlyMap<string, string>,
  problems: Problems,
): void {
  for (const id of names(`${execRoot}/containers`)) {
    problems.expect(running.has(id), `${execRoot}/containers/${id} is left over`);
  }
  for (const runtime of names(`${execRoot}/runtimes`)) {
    for (const id of names(`${execRoot}/runtimes/${runtime}`)) {
      problems.expect(running.has(id), `${execRoot}/runtimes/${runtime}/${id} is left over`);
    }
  }
  for (const id of names(`${execRoot}/starting`))
    problems.add(`${execRoot}/starting/${id}: a pledge is left`);
  const home = `${execRoot}/${driver}`;
  for (const name of names(`${home}/links`)) problems.add(`${home}/links/${name} is left over`);
  const sizeOf = (id: string): number => look(`${home}/mounts/${id}`)?.size ?? 0;
  // One of zero bytes, which counts nobody, is left where unlink(2) failed.
  const counts = names(`${home}/mounts`).filter((id) => sizeOf(id) > 0);
  for (const id of counts) {
    const count = sizeOf(id);
    problems.expect(mounted.has(id) && count === 1, `the count of mounts of ${id} is ${count}`);
  }
  for (const id of mounted.keys()) {
    if (driver === 'overlay2') problems.expect(counts.includes(id), `the mount of ${id} is not counted`);
  }
  for (const name of names(`${home}/locks`)) problems.add(`${home}/locks/${name} is left over`);
}

/** No lock is held, none that comes and goes is left, and there is nothing temporary of ours. */
export function checkState(dataRoot: string, problems: Problems): void {
  const state = `${dataRoot}/tsengine`;
  for (const name of names(`${state}/leases`)) problems.add(`${state}/leases/${name}: a lease is left`);
  for (const name of names(`${state}/tmp`)) problems.add(`${state}/tmp/${name} is left over`);
  for (const name of names(state))
    problems.expect(!name.startsWith('.tmp-'), `${state}/${name} is left over`);
  for (const name of names(`${state}/names`)) {
    problems.expect(!name.startsWith('.tmp-'), `${state}/names/${name} is left over`);
  }
  const held = heldFiles();
  const device = deviceOf(state);
  for (const name of names(`${state}/locks`)) {
    problems.expect(LASTING_LOCKS.includes(name), `${state}/locks/${name} is left over`);
    const inode = look(`${state}/locks/${name}`)?.ino ?? -1;
    problems.expect(!held.has(`${device}:${inode}`), `the lock ${name} is held`);
  }
}

/** Files that somebody has locked with flock(2), as `MAJOR:MINOR:INODE`. Source: proc_locks(5). */
function heldFiles(): Set<string> {
  const lines = readFileSync('/proc/locks', 'latin1').split('\n');
  // A line of one that waits has an arrow before the kind.
  const flocks = lines.map((line) => line.trim().split(/\s+/)).filter((words) => words[1] === 'FLOCK');
  return new Set(
    flocks.map((words) => {
      const [major = '', minor = '', inode] = (words[5] ?? '').split(':');
      return `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}:${inode}`;
    }),
  );
}

/**
 * The device of the filesystem that holds `path`, as `MAJOR:MINOR`. From mountinfo and not from stat(2): that names the
 * subvolume on btrfs, and `/proc/locks` the filesystem.
 */
function deviceOf(path: string): string {
  if (look(path) === undefined) return '';
  const real = `${realpathSync(path)}/`;
  let best = { point: '', device: '' };
  for (const line of readFileSync('/proc/self/mountinfo', 'latin1').split('\n')) {
    const words = line.split(' ');
    const point = (words[4] ?? '').replaceAll('\\040', ' ');
    // Of two at the same place the later one is on top.
    if (point.length >= best.point.length && real.startsWith(point === '/' ? point : `${point}/`))
      best = { point, device: words[2] ?? '' };
  }
  return best.device;
}
