/** Filesystems of a test's own, on loop devices and in memory, that are gone when the test is, however it ends. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasErrno } from '../../src/errors.ts';
import { MNT_DETACH, unmount } from '../../src/linux/mount.ts';
import { readMountInfo } from '../../src/linux/mountinfo.ts';

/** What can be made. */
export type FilesystemType = 'ext4' | 'xfs' | 'btrfs' | 'tmpfs';

/** A mounted filesystem. */
export interface TestFilesystem extends Disposable {
  readonly type: FilesystemType;
  /** Where it is mounted: an empty directory of mode 755. */
  readonly path: string;
}

/** How it is made. */
export interface FilesystemOptions {
  /** Bytes; sparse, so that only what is written is taken. */
  readonly size?: number;
  /** More arguments for mkfs. */
  readonly mkfs?: readonly string[];
  /** Options for mount, separated by commas. */
  readonly mount?: string;
}

const open = new Set<() => void>();
let watching = false;

/** What is still open when the process ends is closed then; signals end the process so that it comes to that. */
function watch(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const close of [...open]) close();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
}

/** Runs `close` when the process ends, unless it was run before. Gives `close`, to be run at most once. */
export function atExit(close: () => void): () => void {
  watch();
  const once = (): void => {
    if (open.delete(once)) close();
  };
  open.add(once);
  return once;
}

/** Unmounts everything at and below a path, from the innermost. */
export function unmountBelow(path: string): void {
  const inside = readMountInfo().filter(({ mountPoint }) => {
    const point = mountPoint.toString();
    return point === path || point.startsWith(`${path}/`);
  });
  for (const { mountPoint } of inside.reverse()) unmount(mountPoint, MNT_DETACH);
}

/** The files behind the loop devices of this machine, everybody's. One that is detached while we look is none. */
export function loopBackingFiles(): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    if (!name.startsWith('loop')) return [];
    try {
      return [readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trimEnd()];
    } catch (error) {
      // There is no such file without one behind, and the folder goes while it is read.
      if (hasErrno(error, 'ENOENT', 'ENXIO', 'ENODEV')) return [];
      throw error;
    }
  });
}

/** Makes a filesystem and mounts it. Throws when mkfs or mount does not want to, with what it said. */
export function makeFilesystem(type: FilesystemType, options: FilesystemOptions = {}): TestFilesystem {
  const folder = mkdtempSync(join(tmpdir(), `tsengine-${type}-`));
  const path = `${folder}/mounted`;
  const close = atExit(() => {
    unmountBelow(path);
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    mkdirSync(path);
    if (type === 'tmpfs') execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', path]);
    else mountImage(type, `${folder}/image`, path, options);
    // ext4 brings a folder for lost files, which is none of ours.
    rmSync(`${path}/lost+found`, { recursive: true, force: true });
  } catch (error) {
    close();
    throw error;
  }
  return { type, path, [Symbol.dispose]: close };
}

function mountImage(type: FilesystemType, image: string, path: string, options: FilesystemOptions): void {
  writeFileSync(image, '');
  truncateSync(image, options.size ?? 1024 ** 3);
  execFileSync(`mkfs.${type}`, ['-q', ...(options.mkfs ?? []), image], { stdio: 'pipe' });
  const words = ['loop', ...(options.mount === undefined ? [] : [options.mount])].join(',');
  execFileSync('mount', ['-t', type, '-o', words, image, path], { stdio: 'pipe' });
}
