/**
 * The volumes that containers need to run: folders of Docker's `local` driver, `<data-root>/volumes/<name>/_data`. Those
 * of images (`VOLUME`) and of `-v /path` are made with a random name and filled from the image. Which containers use a
 * volume is in the containers' own files.
 */
import { spawn } from 'node:child_process';
import { hasErrno, TsengineError } from '../../errors.ts';
import { chmodAt, closeFd, lchownAt } from '../../linux/at.ts';
import { listDirectory, makeDirectory, pathExists, readTextIfAny } from '../../linux/files.ts';
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

/** Makes the volume's folder unless it is there. Gives whether it was made. Fails for drivers other than `local`. */
function makeVolume(root: DataRoot, name: string, driver: string): boolean {
  if (driver !== '' && driver !== 'local') {
    throw new TsengineError(
      'NotFound',
      `error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    );
  }
  checkVolumeName(name);
  refuseOptions(root, name);
  if (pathExists(volumePath(root, name))) return false;
  ensureDirectory(`${root.path}/volumes`, 0o701);
  ensureDirectory(volumeFolder(root, name), 0o701);
  try {
    makeDirectory(volumePath(root, name), 0o755);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    return false;
  }
  return true;
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
  return point.Type === 'volume' && /^[0-9a-f]{64}$/.test(point.Name) && (point.Spec.Source ?? '') === '';
}

/**
 * Makes the volumes of a new container and fills the empty ones from its image. Gives the mount points with names,
 * drivers and paths filled in, and the names of the volumes that were made, to be removed if the creation fails.
 */
export async function prepareVolumes(
  root: DataRoot,
  points: Readonly<Record<string, MountPoint>>,
  image: RootFilesystem,
  made: string[],
): Promise<Record<string, MountPoint>> {
  const done: Record<string, MountPoint> = {};
  for (const [destination, point] of Object.entries(points)) {
    if (point.Type !== 'volume') {
      done[destination] = point;
      continue;
    }
    if (image.kindOf(destination) === 'other') {
      throw new TsengineError('System', `cannot mount volume over existing file, file exists ${destination}`);
    }
    const name = point.Name === '' ? randomId() : point.Name;
    if (makeVolume(root, name, point.Driver)) made.push(name);
    if (point.Spec.VolumeOptions?.NoCopy !== true) await populate(image, destination, volumePath(root, name));
    const fromUser = point.Spec.Target !== undefined;
    done[destination] = {
      ...point,
      Name: name,
      Driver: 'local',
      // Docker leaves the path of an image's volume to its driver.
      Source: fromUser ? volumePath(root, name) : '',
      ...(fromUser && (point.Relabel ?? '') === '' && { Relabel: 'z' }),
    };
  }
  return done;
}

/** Removes volumes with all that is in them. */
export function removeVolumes(root: DataRoot, names: readonly string[]): void {
  for (const name of names) removeTree(volumeFolder(root, name));
}
