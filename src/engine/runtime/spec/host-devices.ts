/** Reads device nodes of this machine: for `--device`, `--privileged` and limits on block devices. Only reads. */
import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../../errors.ts';
import type { DeviceMapping, HostConfig } from '../../api/host-config.ts';
import type { ResolvedDevice } from './input.ts';
import type { OciDevice } from './oci.ts';

/** Directories of /dev that hold no devices of the machine, or those of other namespaces. */
const SKIPPED = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev']);

/** Device numbers out of the 64-bit form of stat(2), as glibc's major() and minor() do. */
function numbers(rdev: number): { major: number; minor: number } {
  const device = BigInt(rdev);
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

/** The node as the container is to have it, or `undefined` for what is no device. FIFOs count, as in Docker. */
function describe(stat: Stats, path: string): OciDevice | undefined {
  const type = stat.isBlockDevice() ? 'b' : stat.isCharacterDevice() ? 'c' : stat.isFIFO() ? 'p' : undefined;
  if (type === undefined) return undefined;
  return { path, type, ...numbers(stat.rdev), fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
}

/** Device nodes below a directory, by name; what vanishes meanwhile is left out. */
function nodesBelow(directory: string, skip: ReadonlySet<string>): OciDevice[] {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry): OciDevice[] => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) return skip.has(entry.name) ? [] : nodesBelow(path, skip);
    try {
      return [describe(lstatSync(path), path)].filter((node) => node !== undefined);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  });
}

/** All devices under `/dev` but the console, for privileged containers. */
export function readHostDevices(): OciDevice[] {
  return nodesBelow('/dev', SKIPPED).filter((node) => node.type !== 'p' && !node.path.endsWith('/console'));
}

function gatherError(path: string, reason: string): TsengineError {
  return new TsengineError(
    'InvalidParameter',
    `error gathering device information while adding custom device ${JSON.stringify(path)}: ${reason}`,
  );
}

/**
 * Looks up one `--device`: a node, a link to one, or a directory, of which all nodes are taken. Throws
 * `InvalidParameter` in Docker's words.
 */
export function readDevice(mapping: DeviceMapping): ResolvedDevice {
  const { PathOnHost, PathInContainer, CgroupPermissions } = mapping;
  let path: string;
  let stat: Stats;
  try {
    path = realpathSync(PathOnHost);
    stat = lstatSync(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) throw gatherError(PathOnHost, 'no such file or directory');
    throw error;
  }
  const node = describe(stat, PathInContainer);
  const below = stat.isDirectory() ? nodesBelow(path, new Set()) : [];
  const nodes = below.map((one) => ({ ...one, path: PathInContainer + one.path.slice(path.length) }));
  if (node !== undefined) nodes.push(node);
  if (nodes.length === 0) throw gatherError(PathOnHost, 'not a device node');
  return { nodes, permissions: CgroupPermissions, pathOnHost: PathOnHost, pathInContainer: PathInContainer };
}

/** Numbers of the devices that a HostConfig's I/O limits name. Throws `InvalidParameter` for one that is not there. */
export function readBlockDevices(config: HostConfig): Record<string, { major: number; minor: number }> {
  const limits = [
    config.BlkioWeightDevice,
    config.BlkioDeviceReadBps,
    config.BlkioDeviceWriteBps,
    config.BlkioDeviceReadIOps,
    config.BlkioDeviceWriteIOps,
  ];
  const paths = new Set(limits.flatMap((list) => (list ?? []).map((limit) => limit.Path)));
  return Object.fromEntries(
    [...paths].map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) {
        throw new TsengineError('InvalidParameter', `stat ${path}: no such file or directory`);
      }
      return [path, numbers(stat.rdev)];
    }),
  );
}
