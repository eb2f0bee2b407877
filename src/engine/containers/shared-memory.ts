/** The directory that a container has at `/dev/shm`, where that is not simply a tmpfs of its own. */
import { hasErrno, TsengineError } from '../../errors.ts';
import { makeDirectories, pathExists } from '../../linux/files.ts';
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, mount, unmount } from '../../linux/mount.ts';
import { readPid } from '../runtime/run-dir.ts';
import { containerOfMode } from '../runtime/spec/namespaces.ts';
import type { StoredContainer } from './container-file.ts';
import { type ContainerContext, readContainer, resolveName, runOf } from './context.ts';

/** What the IPC mode comes to. */
export interface SharedMemory {
  /** To be bound to `/dev/shm`; empty where the container has a tmpfs of its own. */
  readonly path: string;
  /** An IPC namespace to join. */
  readonly namespace: string | undefined;
}

/** The first process of another container, which must run. Fails in Docker's words, after `what`. */
export async function processOfOther(
  context: ContainerContext,
  name: string,
  what: string,
): Promise<{ readonly container: StoredContainer; readonly pid: number }> {
  const container = readContainer(context, await resolveName(context.store, name));
  const pid = readPid(runOf(context, container.file.ID).pid);
  if (!container.file.State.Running || pid === undefined) {
    throw new TsengineError('Conflict', `${what}container ${container.file.ID} is not running`);
  }
  return { container, pid };
}

function hasOwnMount({ file, hostConfig }: StoredContainer): boolean {
  return '/dev/shm' in (file.MountPoints ?? {}) || '/dev/shm' in (hostConfig.Tmpfs ?? {});
}

function shareable(context: ContainerContext, container: StoredContainer): string {
  if (hasOwnMount(container)) return '';
  const path = `${context.store.paths(container.file.ID).mounts}/shm`;
  makeDirectories(path, 0o700);
  mount({
    source: 'shm',
    target: path,
    type: 'tmpfs',
    flags: MS_NOEXEC | MS_NOSUID | MS_NODEV,
    data: `mode=1777,size=${container.hostConfig.ShmSize}`,
  });
  return path;
}

/** Sets up a container's shared memory for its start. A mount that this makes is undone by `releaseSharedMemory`. */
export async function setUpSharedMemory(
  context: ContainerContext,
  container: StoredContainer,
): Promise<SharedMemory> {
  const mode = container.hostConfig.IpcMode;
  const other = containerOfMode(mode);
  if (other !== undefined) {
    const what = `can't join IPC of container ${other}: `;
    const { container: donor, pid } = await processOfOther(context, other, what);
    if (donor.file.ShmPath === '' || !pathExists(donor.file.ShmPath)) {
      const message = 'non-shareable IPC (hint: use IpcMode:shareable for the donor container)';
      throw new TsengineError('InvalidParameter', what + message);
    }
    return { path: donor.file.ShmPath, namespace: `/proc/${pid}/ns/ipc` };
  }
  if (mode === 'host') return { path: '/dev/shm', namespace: undefined };
  // Empty is what Docker before 17.06 wrote, and meant "shareable".
  const path = mode === '' || mode === 'shareable' ? shareable(context, container) : '';
  return { path, namespace: undefined };
}

/** Unmounts a container's own shared memory, if it has one. */
export function releaseSharedMemory(mountsDir: string): void {
  if (!pathExists(`${mountsDir}/shm`)) return;
  try {
    unmount(`${mountsDir}/shm`, MNT_DETACH);
  } catch (error) {
    // EINVAL: it is no mount.
    if (!hasErrno(error, 'EINVAL', 'ENOENT')) throw error;
  }
}
