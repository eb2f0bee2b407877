import { readFileSync } from 'node:fs';

/** One line of `/proc/PID/mountinfo`. Source: proc(5). Paths are bytes, with octal escapes undone. */
export interface MountInfo {
  readonly id: number;
  readonly parent: number;
  readonly major: number;
  readonly minor: number;
  readonly root: Buffer;
  readonly mountPoint: Buffer;
  readonly options: string;
  /** `shared:N`, `master:N`, `propagate_from:N`, `unbindable`. */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: Buffer;
  readonly superOptions: string;
}

/** Undoes the kernel's escapes (`\040` for a blank) in one field. */
function unescapeField(field: string): Buffer {
  const text = field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  return Buffer.from(text, 'latin1');
}

/** Parses the text of a mountinfo file, given as latin1 so that bytes survive. A line that is not one is left out. */
export function parseMountInfo(text: string): MountInfo[] {
  const out: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const separator = line.indexOf(' - ');
    if (separator < 0) continue;
    const [id, parent, device, root, mountPoint, options, ...propagation] = line
      .slice(0, separator)
      .split(' ');
    const [type, source, superOptions] = line.slice(separator + 3).split(' ');
    const [major, minor] = (device ?? '').split(':');
    if (mountPoint === undefined || root === undefined || type === undefined) continue;
    out.push({
      id: Number(id),
      parent: Number(parent),
      major: Number(major),
      minor: Number(minor),
      root: unescapeField(root),
      mountPoint: unescapeField(mountPoint),
      options: options ?? '',
      propagation,
      type,
      source: unescapeField(source ?? ''),
      superOptions: superOptions ?? '',
    });
  }
  return out;
}

/** The mounts of this process's mount namespace, in the kernel's order (a later one on the same point covers an earlier). */
export function readMountInfo(path = '/proc/self/mountinfo'): MountInfo[] {
  return parseMountInfo(readFileSync(path, 'latin1'));
}

/** The topmost mount exactly at `path`, which must be absolute and free of symbolic links. */
export function findMountAt(
  path: string,
  mounts: readonly MountInfo[] = readMountInfo(),
): MountInfo | undefined {
  const wanted = Buffer.from(path);
  return mounts.findLast((entry) => entry.mountPoint.equals(wanted));
}

/** The mount that holds `path`, which must be absolute and free of symbolic links. */
export function findMountOf(
  path: string,
  mounts: readonly MountInfo[] = readMountInfo(),
): MountInfo | undefined {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/')) || '/') {
    const found = findMountAt(at, mounts);
    if (found !== undefined || at === '/') return found;
  }
}
