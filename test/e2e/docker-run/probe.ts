/** The program that rows run in their container: it prints everything that a process can see of how it was started. */

/** Paths that are masked or read-only in a container unless it is told otherwise. */
const GUARDED = [
  ...['/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list'],
  ...['/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware'],
].join(' ');

/** Files and folders that some containers may write to. They are opened, not written: some of them reboot machines. */
const WRITTEN = [
  ...['/proc/sys/kernel/hostname', '/proc/sys/kernel/core_pattern', '/proc/sys/net/ipv4/ip_forward'],
  ...['/proc/sysrq-trigger', '/proc/irq/default_smp_affinity', '/proc/self/oom_score_adj'],
  ...['/sys/kernel/mm/transparent_hugepage/enabled', '/etc/hosts', '/etc/resolv.conf', '/etc/hostname'],
  ...['/etc/passwd', '/dev/null', '/dev/kmsg', '/dev/mem', '/dev/shm/new', '/new', '/tmp/new', '/data/new'],
].join(' ');

const SYSCTLS = [
  ...['net/ipv4/ip_unprivileged_port_start', 'net/ipv4/ping_group_range', 'net/ipv4/ip_forward'],
  ...[
    'net/core/somaxconn',
    'kernel/domainname',
    'net/ipv6/conf/all/disable_ipv6',
    'net/ipv6/conf/lo/disable_ipv6',
    'kernel/shmmax',
    'kernel/msgmax',
    'fs/mqueue/msg_max',
  ],
].join(' ');

const CGROUP_FILES = [
  ...['memory/memory.limit_in_bytes', 'memory/memory.memsw.limit_in_bytes', 'memory/memory.swappiness'],
  ...['memory/memory.soft_limit_in_bytes', 'memory/memory.oom_control', 'pids/pids.max', 'cpu/cpu.shares'],
  ...['cpu/cpu.cfs_quota_us', 'cpu/cpu.cfs_period_us', 'cpuset/cpuset.cpus', 'cpuset/cpuset.mems'],
  ...[
    'devices/devices.list',
    'freezer/freezer.state',
    'memory.max',
    'memory.swap.max',
    'pids.max',
    'cpu.max',
  ],
].join(' ');

/** A script for busybox, with few processes. Each part starts with a line `== NAME`. */
export const PROBE = `#!/bin/sh
part() { echo "== $1"; }
show() { { while IFS= read -r line; do echo "$1: $line"; done <$2; } 2>&1; }
attempt() { said=$("$@" 2>&1 >/dev/null); echo "$*: $? $said"; }
part arguments; for word in "$0" "$@"; do echo "[$word]"; done
part environment; tr '\\0' '\\n' </proc/$$/environ
part status; grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|Cpus_allowed_list)' /proc/$$/status
part identity; id; echo "home $HOME"; show oom /proc/$$/oom_score_adj; show login /proc/$$/loginuid
part directory; readlink /proc/$$/cwd; stat -c '%a %u:%g' .
part descriptors; readlink /proc/$$/fd/*
part processes; for pid in /proc/[0-9]*; do [ $pid = /proc/$$ ] || [ $pid = /proc/1 ] && show \${pid#/proc/} $pid/cmdline; done
part namespaces; readlink /proc/$$/ns/*
part limits; cat /proc/$$/limits; ulimit -a
part hostname; hostname; cat /etc/hostname; stat -c '%n %a %u:%g' /etc/hostname /etc/hosts /etc/resolv.conf
part hosts; cat /etc/hosts
part resolv.conf; cat /etc/resolv.conf
part network; ls /sys/class/net; ip addr show lo; cat /proc/net/route
part mountinfo; cat /proc/self/mountinfo
part cgroup; cat /proc/self/cgroup; cd /sys/fs/cgroup && for file in ${CGROUP_FILES}; do [ -e $file ] && show $file $file; done; cd /
part devices; find /dev | xargs stat -c '%n %F %a %u:%g %t:%T' 2>&1 | sort; for link in fd stdin stdout stderr core ptmx; do readlink /dev/$link; done
part files; stat -c '%n %F %a %u:%g %s' /.dockerenv /etc/mtab /dev/console 2>&1; stat -c '%n %F %a %u:%g' /* 2>&1 | sort
part sysctls; for name in ${SYSCTLS}; do show $name /proc/sys/$name; done
part guarded; for path in ${GUARDED}; do said=$( (: <$path) 2>&1 ); echo "$path: $? $said"; [ ! -d $path ] || attempt ls $path; done
part written; for path in ${WRITTEN}; do said=$( (: >>$path) 2>&1 ); echo "$path: $? $said"; done
part forbidden; attempt mknod /tmp/node c 1 3; attempt mount -t tmpfs none /tmp; attempt unshare -U true; attempt chown 7:7 /tmp/new; attempt mkdir /sys/fs/cgroup/new; attempt hostname other; attempt dmesg -s 1; attempt chroot / true
part input; head -c 100 </proc/self/fd/0
part end
`;
