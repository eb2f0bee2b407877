/** Stores that are filesystems of the kernel on one device. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { unmountBelow } from '../../../src/lab/matrix/backings.ts';
import { runFileTool, runTool } from '../../../src/lab/matrix/tool.ts';
import { programEnv } from '../../../src/lab/run-program.ts';
import { runCommand } from '../../../src/linux/command.ts';
import { findMountAt } from '../../../src/linux/mountinfo.ts';
import { statfs } from '../../../src/linux/statfs.ts';
import { syncFilesystemOf } from '../../../src/linux/sync.ts';
import { makeStoreImage } from './image.ts';
import type { Store, StoreOptions } from './store.ts';

/** How each is made, and what it is mounted with beside its defaults. */
const MADE = {
  // Its inode tables would be written in the background, while something is measured.
  ext4: { package: 'e2fsprogs', words: ['-q', '-F'], mount: ['-o', 'noinit_itable'] },
  xfs: { package: 'xfsprogs', words: ['-q', '-f'], mount: [] },
  btrfs: { package: 'btrfs-progs', words: ['-q', '-f'], mount: [] },
} as const;

/** The types of them. */
export type FilesystemKind = keyof typeof MADE;

/** Makes a filesystem on an image and mounts it. Fails with `Unavailable` where a program or the kernel lacks it. */
export function makeFilesystemStore(kind: FilesystemKind, options: StoreOptions): Store {
  const { words, mount, package: debianPackage } = MADE[kind];
  const image = makeStoreImage(options, options.size);
  const path = `${options.work}/mounted`;
  const close = (): void => {
    unmountBelow(path);
    image[Symbol.dispose]();
  };
  try {
    runFileTool(`mkfs.${kind}`, [...words, image.path], debianPackage);
    mkdirSync(path, { recursive: true });
    runTool('mount', ['-t', kind, ...mount, image.path, path], 'mount');
    // ext4 brings a folder for lost files, which is none of ours.
    rmSync(`${path}/lost+found`, { recursive: true, force: true });
  } catch (error) {
    close();
    throw error;
  }
  return {
    kind,
    path,
    devices: [image.name],
    storageOptions: [],
    mkfs: `mkfs.${kind} ${words.join(' ')}`,
    mountOptions: mountOptionsOf(path),
    standIn: null,
    sync: () => syncFilesystemOf(path),
    used: () => usedBytes(path),
    trim: async () => {
      await syncFilesystemOf(path);
      await runCommand('fstrim', [path]);
    },
    versions: { [debianPackage]: versionOfMkfs(kind) },
    [Symbol.asyncDispose]: async () => close(),
  };
}

/** What a mount is mounted with, the filesystem's own options and the mount's together. */
export function mountOptionsOf(path: string): string {
  const found = findMountAt(path);
  if (found === undefined) return '';
  return [...new Set(`${found.options},${found.superOptions}`.split(','))].join(',');
}

/** Bytes taken of the filesystem at a path. */
export function usedBytes(path: string): number {
  const { total, free } = statfs(path);
  return total - free;
}

/** `1.47.0`, from whichever output the program says it on. */
function versionOfMkfs(kind: FilesystemKind): string {
  const { stdout, stderr } = spawnSync(`mkfs.${kind}`, ['-V'], { encoding: 'utf8', env: programEnv() });
  return /\d+\.\d[\w.-]*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}
