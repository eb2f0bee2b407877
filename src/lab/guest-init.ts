/** The first program in a machine: a script for busybox in the initial RAM disk. It mounts what is there and goes on to the agent, or to systemd. */

/** Serial numbers of a machine's disks, by which the script finds them. Additional ones are `disk1`, `disk2`, … */
export const diskSerials = {
  root: 'lab-root',
  modules: 'lab-modules',
  packages: 'lab-packages',
  code: 'lab-code',
  results: 'lab-results',
} as const;

/** The name of the port between the agent and us. */
export const AGENT_PORT = 'tsengine-lab';

/** What the script writes on the console before it gives up. */
export const GAVE_UP = 'tsengine-lab:';

/** What the script answers on the console when it was only asked whether machines start. */
export const PROBE_ANSWER = 'tsengine-lab-probe: yes';

/** What it says of a kernel that does not take zfs: the machine goes on, and zpool says the same. */
const WITHOUT_ZFS = 'the module zfs does not load';

/** Modules without which there is no disk, no agent and no root. */
export const neededModules: readonly string[] = [
  ...['virtio_pci', 'virtio_blk', 'virtio_console', 'ext4', 'squashfs'],
];

/** Loaded before them where they are modules: checksums that ext4 asks for without saying so in modules.dep. */
export const helpfulModules: readonly string[] = [
  ...['crc32c', 'crc32c_generic', 'crc32c_intel', 'crc32c_cryptoapi'],
];

/** What of busybox the script uses. */
export const applets: readonly string[] = [
  ...[
    'sh',
    'cat',
    'chroot',
    'cp',
    'insmod',
    'ln',
    'mkdir',
    'mknod',
    'modprobe',
    'mount',
    'poweroff',
    'rmdir',
    'sleep',
  ],
  ...['switch_root', 'uname', 'ip', 'hostname'],
];

/** Device nodes whose opening loads a module, which udev would make. Source: `kmod static-nodes` of Debian's kernels. */
const STATIC_NODES = [
  ...[
    'btrfs-control 10 234',
    'fuse 10 229',
    'loop-control 10 237',
    'mapper/control 10 236',
    'net/tun 10 200',
  ],
].map((node) => node.split(' '));

/** systemd's unit for the agent. What it starts may have cgroups of its own and is nobody else's to limit. Without it the machine is of no use, and ends. */
const UNIT = `[Unit]
Description=tsengine lab
After=multi-user.target
FailureAction=poweroff-force
[Service]
ExecStart=/usr/bin/python3 -I -S /run/tsengine-lab/agent.py ${AGENT_PORT}
StandardInput=null
StandardOutput=null
StandardError=journal+console
Delegate=yes
KillMode=process
OOMPolicy=continue
OOMScoreAdjust=-1000
TasksMax=infinity
LimitNOFILE=1048576
LimitCORE=infinity`;

/** The script. Of the kernel's command line it reads `lab.probe`, `lab.disks=` (how many), `lab.systemd` and `lab.zfs`. */
export const INIT_SCRIPT = `#!/bin/sh
export PATH=/bin
give_up() { echo "${GAVE_UP} $*" >/dev/console; poweroff -f; sleep 60; }
mount -t devtmpfs devtmpfs /dev; mount -t proc proc /proc; mount -t sysfs sysfs /sys
read -r line </proc/cmdline
case " $line " in *" lab.probe "*) echo "${PROBE_ANSWER}" >/dev/console; poweroff -f; sleep 60 ;; esac
while read -r file; do
  insmod "/modules/$file" || give_up "the module $file does not load"
done </modules/order
hint=
if [ ! -s /modules/order ]; then
  hint=": if it has that as a module, give its modules with --modules"
  for name in ${[...helpfulModules, ...neededModules].join(' ')}; do modprobe $name 2>/dev/null; done
fi

find_disks() {
  root= modules= packages= code= results= extra= found=0
  for disk in /sys/block/vd*; do
    [ -e "$disk/serial" ] || continue
    read -r serial <"$disk/serial" || [ -n "$serial" ] || continue
    device=/dev/\${disk##*/}
    found=$((found + 1))
    case $serial in
      ${diskSerials.root}) root=$device ;; ${diskSerials.modules}) modules=$device ;;
      ${diskSerials.packages}) packages=$device ;; ${diskSerials.code}) code=$device ;;
      ${diskSerials.results}) results=$device ;; disk*) extra="$extra $serial:$device" ;;
    esac
  done
}
wanted=0
for word in $line; do case $word in lab.disks=*) wanted=\${word#*=} ;; esac; done
waited=0
find_disks
while [ $found -lt $wanted ]; do
  [ $waited -lt 300 ] || give_up "the kernel $(uname -r) shows $found of $wanted virtio disks$hint"
  waited=$((waited + 1)); sleep 0.1; find_disks
done
mount -t ext4 -o noatime,noinit_itable "$root" /root || give_up "the kernel cannot mount ext4$hint"
if [ -n "$modules" ]; then
  mount -t squashfs -o ro "$modules" /root/usr/lib/modules || give_up "the kernel cannot mount squashfs$hint"
fi
mount -t squashfs -o ro "$code" /root/opt/tsengine || give_up "the kernel cannot mount squashfs$hint"
mount -t squashfs -o ro "$packages" /root/opt/tsengine/node_modules || give_up "the disk of npm packages does not mount"
mount -t tmpfs -o mode=755 tmpfs /root/opt/tsengine/.cache
if [ -n "$results" ]; then
  mount -t ext4 -o commit=1,nodelalloc,noinit_itable "$results" /root/results || give_up "the disk for results does not mount"
  rmdir /root/results/lost+found
fi
mount -t tmpfs -o mode=755 tmpfs /root/run
mkdir /root/run/tsengine-lab /root/run/lock /dev/lab
for pair in $extra; do ln -s "\${pair#*:}" "/dev/lab/\${pair%%:*}"; done
cp /agent.py /root/run/tsengine-lab/
mount --move /dev /root/dev; mount --move /proc /root/proc; mount --move /sys /root/sys
case " $line " in *" lab.zfs "*) chroot /root modprobe zfs || echo "${WITHOUT_ZFS}" >/root/dev/console ;; esac

case " $line " in *" lab.systemd "*)
  units=/root/run/systemd/system
  mkdir -p $units/multi-user.target.wants
  cat >$units/tsengine-lab.service <<'UNIT'
${UNIT}
UNIT
  ln -s ../tsengine-lab.service $units/multi-user.target.wants/
  for name in getty@.service serial-getty@.service apt-daily.timer apt-daily-upgrade.timer fstrim.timer e2scrub_all.timer \\
    systemd-networkd-wait-online.service; do ln -s /dev/null $units/$name; done
  exec switch_root /root /lib/systemd/systemd
  ;;
esac

hostname lab
ip link set lo up
mkdir -p /root/dev/pts /root/dev/shm /root/dev/mqueue /root/dev/mapper /root/dev/net
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 tmpfs /root/dev/shm
mount -t mqueue mqueue /root/dev/mqueue 2>/dev/null
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mount -t securityfs securityfs /root/sys/kernel/security 2>/dev/null
mount -t debugfs debugfs /root/sys/kernel/debug 2>/dev/null
${STATIC_NODES.map(([name, major, minor]) => `mknod /root/dev/${name} c ${major} ${minor} 2>/dev/null`).join('\n')}
ln -s /proc/self/fd /root/dev/fd; ln -s fd/0 /root/dev/stdin; ln -s fd/1 /root/dev/stdout; ln -s fd/2 /root/dev/stderr
exec switch_root /root /usr/bin/python3 -I -S /run/tsengine-lab/agent.py ${AGENT_PORT}
`;
