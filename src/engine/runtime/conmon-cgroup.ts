/**
 * Where conmon lives among the cgroups. It must outlive the command that started it, and so must not stay in that
 * command's cgroup: a session, a service or a CI job that ends may take everything in its cgroup along.
 */
import { readFileSync } from 'node:fs';
import { hasErrno } from '../../errors.ts';
import { closeFile, makeDirectories, openFile, writeAll } from '../../linux/files.ts';
import { readMountInfo } from '../../linux/mountinfo.ts';

/** The cgroup of all conmons, in every hierarchy, unless the settings name another parent. */
const CHILD = 'conmon';

interface Membership {
  /** `memory`, `cpu,cpuacct`, `name=systemd`; empty for cgroup v2. */
  readonly controllers: string;
  readonly path: string;
}

/** Parses `/proc/PID/cgroup`. Source: cgroups(7). */
export function parseMemberships(text: string): Membership[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      return { controllers, path: path.join(':') };
    });
}

/** Where a hierarchy is mounted; `undefined` when it is not. */
function hierarchyRoots(): (controllers: string) => string | undefined {
  const mounts = readMountInfo().filter((mount) => mount.type === 'cgroup' || mount.type === 'cgroup2');
  return (controllers) => {
    const found = mounts.find((mount) => {
      if (controllers === '') return mount.type === 'cgroup2';
      const options = mount.superOptions.split(',');
      return mount.type === 'cgroup' && controllers.split(',').every((word) => options.includes(word));
    });
    return found?.mountPoint.toString();
  };
}

function write(file: string, text: string): void {
  const fd = openFile(file, 'w');
  try {
    writeAll(fd, Buffer.from(text));
  } finally {
    closeFile(fd);
  }
}

/**
 * Moves a process out of the cgroups that it shares with us into `<parent>/conmon`, in each hierarchy in which ours is
 * not the root. (In the root nothing takes it along, and a move costs 10 ms of waiting for the kernel.) Done before the
 * process has children. A hierarchy that refuses, such as a delegated one, is left as it is.
 */
export function moveToOwnCgroup(pid: number, parent: string): void {
  const own = parseMemberships(readFileSync('/proc/self/cgroup', 'latin1'));
  const elsewhere = own.filter(({ path }) => path !== '/' && !path.endsWith(`/${CHILD}`));
  if (elsewhere.length === 0) return;
  const rootOf = hierarchyRoots();
  for (const { controllers } of elsewhere) {
    const root = rootOf(controllers);
    // A fresh cpuset cgroup of v1 has no CPUs, and takes nobody; it does not end processes either.
    if (root === undefined || controllers.split(',').includes('cpuset')) continue;
    try {
      makeDirectories(`${root}${parent}/${CHILD}`);
      write(`${root}${parent}/${CHILD}/cgroup.procs`, String(pid));
    } catch (error) {
      if (!hasErrno(error, 'EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EINVAL', 'ENOSPC', 'EOPNOTSUPP', 'ENOENT'))
        throw error;
    }
  }
}
