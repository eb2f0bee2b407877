/**
 * A daemon of zfs-fuse with a pool, for one script: a machine has one daemon, so it gets mount and pid namespaces and a `/run` of
 * its own, and whatever happens to the script the kernel ends the daemon and unmounts what it had mounted.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCommand } from '../../src/linux/command.ts';
import type { Ended } from './cli.ts';

/** Why zfs-fuse cannot be tested here; `undefined` where it can. */
export const NO_ZFS_FUSE =
  findCommand('zfs-fuse') === undefined
    ? 'zfs-fuse is not installed'
    : existsSync('/dev/zfs')
      ? 'this kernel has the module of OpenZFS'
      : undefined;

/**
 * `$1` is the folder and `$2` the script. A child of process 1 takes itself for a daemon already, so that a shell is between. The
 * image must be on a filesystem that takes direct writes, which tmpfs does not.
 */
const OUTER = `set -eu
mount -t tmpfs none /run && mkdir /run/lock
mount -t tmpfs none /var/lib/zfs
cd "$1"
set +e
sh -c "$2
exit \\$?"
`;

/** Starts a daemon, as the script may do again; \`pool\` is mounted at \`root\`. */
const POOL = `start() { zfs-fuse "$@" --no-kstat-mount --pidfile /run/zfs.pid 2>/dev/null; }
start --enable-xattr
truncate -s 2G image
zpool create -o cachefile=none -m "$PWD/root" pool "$PWD/image" 2>/dev/null
`;

/** The path of `tsengine`, for programs of a script that do not know it by name. */
export const LAUNCHER = fileURLToPath(new URL('../../bin/tsengine', import.meta.url));

/** How a script begins. */
export interface ScriptStart {
  /** Without a daemon and a pool: the script makes its own. */
  readonly bare?: boolean;
}

/**
 * Runs a script of sh(1) in a folder of its own, with `tsengine` among its programs. It ends with the script's status, and
 * nothing is left.
 */
export function withZfsFuse(script: string, { bare = false }: ScriptStart = {}): Ended {
  const folder = mkdtempSync(join(tmpdir(), 'tsengine-zfs-fuse-'));
  const ours = `tsengine() { "${LAUNCHER}" "$@"; }\n`;
  const args = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
  const whole = `${ours}${bare ? '' : POOL}${script}`;
  try {
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      [...args, 'sh', '-c', OUTER, 'sh', folder, whole],
      { encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    return { status, stdout, stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
