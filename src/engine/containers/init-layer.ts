/**
 * What is in every container's init layer: mount points for what the runtime mounts, and empty files that are bound over.
 * So the container's own layer stays free of them, and neither `diff` nor `commit` shows them.
 */
import { hasErrno } from '../../errors.ts';
import {
  closeFd,
  mkdirAt,
  mknodAt,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openAt,
  symlinkAt,
  unlinkAt,
} from '../../linux/at.ts';
import { AT_FDCWD, S_IFREG } from '../../linux/stat.ts';

type Entry = readonly [path: string, kind: 'directory' | 'file' | { readonly link: string }];

/** Docker 20.10's list. */
const ENTRIES: readonly Entry[] = [
  ['dev/pts', 'directory'],
  ['dev/shm', 'directory'],
  ['proc', 'directory'],
  ['sys', 'directory'],
  ['.dockerenv', 'file'],
  ['etc/resolv.conf', 'file'],
  ['etc/hosts', 'file'],
  ['etc/hostname', 'file'],
  ['dev/console', 'file'],
  ['etc/mtab', { link: '/proc/mounts' }],
];

/**
 * Does `make`; where the name is taken by something that is no directory, that is removed first. Links that an image has
 * in these places must not lead us elsewhere. A directory stays, as in Docker. (A try that succeeds costs nothing, one
 * that fails an exception: most images have the directories and none of the files.)
 */
function makeAnew(fd: number, name: string, make: () => void): void {
  try {
    make();
    return;
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  try {
    unlinkAt(fd, name);
  } catch (error) {
    if (hasErrno(error, 'EISDIR', 'EPERM')) return;
    throw error;
  }
  make();
}

/** Opens the directory `name`, made when it is not there. */
function enter(fd: number, name: string): number {
  const open = () => openAt(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    return open();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
  }
  makeAnew(fd, name, () => mkdirAt(fd, name, 0o755));
  return open();
}

function place(fd: number, name: string, kind: Entry[1]): void {
  if (kind === 'directory') closeFd(enter(fd, name));
  else if (kind === 'file') makeAnew(fd, name, () => mknodAt(fd, name, S_IFREG | 0o755));
  else makeAnew(fd, name, () => symlinkAt(kind.link, fd, name));
}

/** Fills an init layer that is mounted at `path`. */
export function fillInitLayer(path: string): void {
  const root = openAt(AT_FDCWD, path, O_PATH | O_DIRECTORY);
  const opened = new Map<string, number>();
  try {
    for (const [entry, kind] of ENTRIES) {
      const slash = entry.indexOf('/');
      if (slash < 0) {
        place(root, entry, kind);
        continue;
      }
      const directory = entry.slice(0, slash);
      const fd = opened.get(directory) ?? enter(root, directory);
      opened.set(directory, fd);
      place(fd, entry.slice(slash + 1), kind);
    }
  } finally {
    for (const fd of opened.values()) closeFd(fd);
    closeFd(root);
  }
}
