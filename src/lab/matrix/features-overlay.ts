/** What overlayfs can do over a filesystem. The ideas are those of the kernel's `Documentation/filesystems/overlayfs.rst`. */
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { inDirectory } from '../../drivers/overlay2/in-directory.ts';
import { probeOverlay } from '../../drivers/overlay2/probe.ts';
import { chmodAt } from '../../linux/at.ts';
import { MNT_DETACH, mount, openFs, unmount } from '../../linux/mount.ts';
import { copyFileRange } from '../../linux/space.ts';
import { AT_FDCWD } from '../../linux/stat.ts';
import { lgetxattr } from '../../linux/xattr.ts';
import type { Attempt } from './feature.ts';

/** The most lower layers that overlayfs takes. */
const MOST_LAYERS = 500;

/** A folder with trees to lay over each other. */
function makeTrees(folder: string): void {
  for (const path of ['lower/dir', 'upper', 'work', 'merged'])
    mkdirSync(`${folder}/${path}`, { recursive: true });
  writeFileSync(`${folder}/lower/file`, 'lower');
  writeFileSync(`${folder}/lower/dir/file`, 'lower');
  linkSync(`${folder}/lower/file`, `${folder}/lower/second-name`);
}

/** Mounts `folder`'s trees with these options, lets `look` look at them, and unmounts. */
function overlaid<T>(folder: string, options: string, look: (merged: string) => T, lower = 'lower'): T {
  makeTrees(folder);
  const data = [`lowerdir=${lower}`, 'upperdir=upper', 'workdir=work', ...(options === '' ? [] : [options])];
  inDirectory(folder, () =>
    mount({ source: 'overlay', target: 'merged', type: 'overlay', data: data.join(',') }),
  );
  try {
    return look(`${folder}/merged`);
  } finally {
    unmount(`${folder}/merged`, MNT_DETACH);
  }
}

function marked(path: string, name: string): boolean {
  return lgetxattr(path, name) !== undefined;
}

/** In the order in which they are shown. */
export const overlayFeatures: readonly Attempt[] = [
  {
    name: 'native diff',
    attempt: ({ folder }) => {
      const probed = probeOverlay(folder);
      if ('reason' in probed) return probed.reason;
      return probed.abilities.notNative === '' ? undefined : probed.abilities.notNative;
    },
  },
  {
    name: 'redirect_dir',
    attempt: ({ folder }) =>
      overlaid(folder, 'redirect_dir=on', (merged) => {
        renameSync(`${merged}/dir`, `${merged}/renamed`);
        return marked(`${folder}/upper/renamed`, 'trusted.overlay.redirect')
          ? undefined
          : 'a renamed directory was copied instead of redirected';
      }),
  },
  {
    name: 'metacopy',
    attempt: ({ folder }) =>
      overlaid(folder, 'metacopy=on', (merged) => {
        chmodAt(AT_FDCWD, `${merged}/file`, 0o600);
        return marked(`${folder}/upper/file`, 'trusted.overlay.metacopy')
          ? undefined
          : 'chmod copied the whole file up';
      }),
  },
  {
    name: 'index',
    attempt: ({ folder }) =>
      overlaid(folder, 'index=on', (merged) => {
        writeFileSync(`${merged}/file`, 'changed');
        const [one, two] = [lstatSync(`${merged}/file`), lstatSync(`${merged}/second-name`)];
        return one.ino === two.ino
          ? undefined
          : 'two names of one file were two files after the first was written';
      }),
  },
  {
    name: 'xino',
    attempt: ({ folder, work }) => {
      const other = `${work}/other`;
      mkdirSync(other);
      mount({ source: 'tmpfs', target: other, type: 'tmpfs' });
      try {
        writeFileSync(`${other}/elsewhere`, '');
        return overlaid(folder, 'xino=on', sameDevice, `lower:${other}`);
      } finally {
        unmount(other, MNT_DETACH);
      }
    },
  },
  {
    name: 'volatile',
    attempt: ({ folder }) =>
      overlaid(folder, 'volatile', () =>
        existsSync([folder, 'work', 'work', 'incompat', 'volatile'].join('/'))
          ? undefined
          : 'the option was taken and did nothing',
      ),
  },
  {
    name: 'userxattr',
    attempt: ({ folder }) =>
      overlaid(folder, 'userxattr', (merged) => {
        rmSync(`${merged}/dir/file`);
        rmdirSync(`${merged}/dir`);
        mkdirSync(`${merged}/dir`);
        return marked(`${folder}/upper/dir`, 'user.overlay.opaque')
          ? undefined
          : 'a directory made anew was not marked in user.overlay.opaque';
      }),
  },
  { name: 'lowerdir+', attempt: ({ folder }) => appendedLayers(folder) },
  { name: `${MOST_LAYERS} layers`, attempt: ({ folder }) => manyLayers(folder) },
  {
    name: 'copy_file_range across layers',
    attempt: ({ folder }) => overlaid(folder, '', (merged) => copiedAcross(merged)),
  },
];

/** Whether files of both filesystems show the overlay's own device, which is what programs compare. */
function sameDevice(merged: string): string | undefined {
  const devices = new Set(['', '/file', '/elsewhere'].map((name) => lstatSync(`${merged}${name}`).dev));
  return devices.size === 1 ? undefined : 'files of two filesystems show different devices';
}

/** Gives each lower directory to the kernel by itself. */
function appendedLayers(folder: string): string | undefined {
  makeTrees(folder);
  mkdirSync(`${folder}/lower-2`);
  writeFileSync(`${folder}/lower-2/below`, '');
  return inDirectory(folder, () => {
    using context = openFs('overlay');
    context.set('lowerdir+', 'lower');
    context.set('lowerdir+', 'lower-2');
    context.mountOn('merged');
    try {
      return existsSync(`${folder}/merged/below`) ? undefined : 'the second layer is not seen';
    } finally {
      unmount('merged', MNT_DETACH);
    }
  });
}

/** The names are short: mount(2) takes one page of options. */
function manyLayers(folder: string): string | undefined {
  const names = Array.from({ length: MOST_LAYERS }, (_, index) => index.toString(36));
  for (const name of names) mkdirSync(`${folder}/${name}`);
  writeFileSync(`${folder}/${names.at(-1)}/lowest`, '');
  return overlaid(
    folder,
    '',
    (merged) => (readdirSync(merged).includes('lowest') ? undefined : 'the lowest layer is not seen'),
    names.join(':'),
  );
}

function copiedAcross(merged: string): string | undefined {
  const from = openSync(`${merged}/file`, 'r');
  const to = openSync(`${merged}/copy`, 'w');
  try {
    const copied = copyFileRange(from, 0, to, 0, 5);
    if (copied !== 5) return `${copied} of 5 bytes were copied`;
    const same = readFileSync(`${merged}/copy`).equals(readFileSync(`${merged}/file`).subarray(0, 5));
    return same ? undefined : 'what was copied is something else';
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
