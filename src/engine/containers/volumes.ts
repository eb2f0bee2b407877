/**
 * The volumes that containers need to run: folders of Docker's `local` driver, `<data-root>/volumes/<name>/_data`. Those
 * of images (`VOLUME`) and of `-v /path` are made with a random name and filled from the image. Which containers use a
 * volume is in the containers' own files.
 */
import { spawn } from 'node:child_process';
import { hasErrno, TsengineError } from '../../errors.ts';
import { chmodAt, closeFd, lchownAt, RENAME_NOREPLACE, renameAt2 } from '../../linux/at.ts';
import {
  listDirectory,
  makeDirectory,
  pathExists,
  readTextIfAny,
  removeDirectory,
} from '../../linux/files.ts';
import { removeTree } from '../../linux/remove-tree.ts';
import { AT_FDCWD, fstat } from '../../linux/stat.ts';
import type { MountPoint } from '../api/mount-point.ts';
import { type DataRoot, ensureDirectory } from '../root.ts';
import { checkVolumeName } from './mount-spec.ts';
import { randomId } from './names.ts';
import type { RootFilesystem } from './root-filesystem.ts';

function volumeFolder(root: DataRoot, name: string): string {
  return `${root.path}/volumes/${name}`;
}

/** Where a volume's files are. */
export function volumePath(root: DataRoot, name: string): string {
  return `${volumeFolder(root, name)}/_data`;
}

/** Where a volume is made until it is whole, for one container. */
function asideFolder(root: DataRoot, name: string, containerId: string): string {
  return `${volumeFolder(root, name)}/.new-${containerId}`;
}

/** Checks that there is such a volume or can be. Fails for drivers other than `local`. */
function checkVolume(root: DataRoot, name: string, driver: string): void {
  if (driver !== '' && driver !== 'local') {
    throw new TsengineError(
      'NotFound',
      `error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    );
  }
  checkVolumeName(name);
  refuseOptions(root, name);
}

/** Makes a volume with `fill`; it gets its place when it is whole. Another process may be faster. */
async function makeVolume(
  root: DataRoot,
  name: string,
  containerId: string,
  fill: (target: string) => Promise<void>,
): Promise<void> {
  ensureDirectory(`${root.path}/volumes`, 0o701);
  ensureDirectory(volumeFolder(root, name), 0o701);
  const aside = asideFolder(root, name, containerId);
  makeDirectory(aside, 0o755);
  await fill(aside);
  try {
    renameAt2(AT_FDCWD, aside, AT_FDCWD, volumePath(root, name), RENAME_NOREPLACE);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST', 'ENOTEMPTY')) throw error;
    removeTree(aside);
  }
}

/** A volume with options of mount(8) is not a plain folder. */
export function refuseOptions(root: DataRoot, name: string): void {
  const text = readTextIfAny(`${volumeFolder(root, name)}/opts.json`);
  if (text === undefined || text === '' || text === 'null' || text === '{}') return;
  throw new TsengineError('NotImplemented', `volume ${name} has mount options, which are not supported yet`);
}

/** Copies the contents of one directory into another, everything kept, nothing followed. */
function copyContents(from: number, to: string): Promise<void> {
  const child = spawn('cp', ['-a', '--reflink=auto', '/proc/self/fd/3/.', to], {
    stdio: ['ignore', 'ignore', 'pipe', from],
  });
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else
        reject(new TsengineError('System', `cannot fill volume ${to}: ${said.trim().split('\n')[0] ?? ''}`));
    });
  });
}

/** Fills an empty volume with what the image has at its place, and gives it that directory's owner and mode. */
async function populate(image: RootFilesystem, destination: string, target: string): Promise<void> {
  const source = image.openDirectory(destination);
  if (source === undefined) return;
  try {
    if (listDirectory(target).length > 0) return;
    await copyContents(source, target);
    const { uid, gid, mode } = fstat(source);
    lchownAt(AT_FDCWD, target, uid, gid);
    chmodAt(AT_FDCWD, target, mode & 0o7777);
  } finally {
    closeFd(source);
  }
}

/** The mount point of an image's `VOLUME` or of `-v /path`: a volume that nobody named. */
export function anonymousVolume(destination: string): MountPoint {
  return {
    Source: '',
    Destination: destination,
    RW: true,
    Name: randomId(),
    Driver: 'local',
    Type: 'volume',
    Spec: {},
    SkipMountpointCreation: false,
  };
}

/** Whether a volume was named by us: such go with `rm -v` and with `--rm`. */
export function isAnonymous(point: MountPoint): boolean {
  return point.Type === 'volume' && isAnonymousName(point.Name) && (point.Spec.Source ?? '') === '';
}

/** Whether a volume has the name of one that nobody named. */
function isAnonymousName(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

/**
 * Makes the volumes of a new container and fills the empty ones from its image. Gives the mount points with names,
 * drivers and paths filled in. `note` gets the names of volumes that are about to be made, for `abandonVolumes` after a
 * failure or a kill.
 */
export async function prepareVolumes(
  root: DataRoot,
  containerId: string,
  points: Readonly<Record<string, MountPoint>>,
  image: RootFilesystem,
  note: (names: readonly string[]) => void,
): Promise<Record<string, MountPoint>> {
  const named = Object.entries(points).map(([destination, point]) => {
    if (point.Type !== 'volume') return [destination, point] as const;
    if (image.kindOf(destination) === 'other') {
      throw new TsengineError('System', `cannot mount volume over existing file, file exists ${destination}`);
    }
    const name = point.Name === '' ? randomId() : point.Name;
    checkVolume(root, name, point.Driver);
    return [destination, { ...point, Name: name }] as const;
  });
  const volumes = named.flatMap(([, point]) => (point.Type === 'volume' ? [point.Name] : []));
  const missing = new Set(volumes.filter((name) => !pathExists(volumePath(root, name))));
  if (missing.size > 0) note([...missing]);
  const done: Record<string, MountPoint> = {};
  for (const [destination, point] of named) {
    done[destination] = point;
    if (point.Type !== 'volume') continue;
    const fill = async (target: string): Promise<void> => {
      if (point.Spec.VolumeOptions?.NoCopy !== true) await populate(image, destination, target);
    };
    if (missing.delete(point.Name)) await makeVolume(root, point.Name, containerId, fill);
    else await fill(volumePath(root, point.Name));
    const fromUser = point.Spec.Target !== undefined;
    done[destination] = {
      ...point,
      Driver: 'local',
      // Docker leaves the path of an image's volume to its driver.
      Source: fromUser ? volumePath(root, point.Name) : '',
      ...(fromUser && (point.Relabel ?? '') === '' && { Relabel: 'z' }),
    };
  }
  return done;
}

/**
 * Removes what a container that was never finished had made of volumes: those that nobody named, and what is not whole of
 * others. A whole volume with a name stays, as in Docker: somebody else may use it by now; so does one that another container has.
 */
export function abandonVolumes(
  root: DataRoot,
  containerId: string,
  names: readonly string[],
  isUsed: (name: string) => boolean,
): void {
  for (const name of names) {
    if (isAnonymousName(name) && !isUsed(name)) removeTree(volumeFolder(root, name));
    else removeTree(asideFolder(root, name, containerId));
    if (pathExists(volumePath(root, name))) continue;
    try {
      removeDirectory(volumeFolder(root, name));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error;
    }
  }
}

/** Removes volumes with all that is in them. */
export function removeVolumes(root: DataRoot, names: readonly string[]): void {
  for (const name of names) removeTree(volumeFolder(root, name));
}
