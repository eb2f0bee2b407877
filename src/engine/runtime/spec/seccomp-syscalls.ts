/**
 * The system calls that containers may use, in groups. Which ones they are is Docker's decision (version 20.10.24, its
 * default seccomp profile); a test compares every one with that profile. A word such as `stat+64` stands for `stat` and
 * `stat64`. Names that an architecture does not have are skipped by the runtime.
 */

/** Allowed to every container, on every architecture and kernel. */
export const ALWAYS: Readonly<Record<string, string>> = {
  'names and directories':
    'access chdir close close_range creat dup+2+3 faccessat+2 fanotify_mark fchdir fcntl+64 flock futimesat ' +
    'getcwd getdents+64 inotify_add_watch inotify_init+1 inotify_rm_watch link+at mkdir+at mknod+at open+at+at2 ' +
    'readlink+at rename+at+at2 rmdir symlink+at umask unlink+at utime utimensat+_time64 utimes',
  contents:
    '_llseek copy_file_range fadvise64+_64 fallocate fdatasync fsync ftruncate+64 io_cancel io_destroy ' +
    'io_getevents io_pgetevents+_time64 io_setup io_submit io_uring_enter io_uring_register io_uring_setup ' +
    'ioctl lseek pipe+2 pread64 preadv+2 pwrite64 pwritev+2 read+v+ahead sendfile+64 splice sync sync_file_range ' +
    'syncfs tee truncate+64 vmsplice write+v',
  metadata:
    'chmod chown+32 fchmod+at fchown+32+at fgetxattr flistxattr fremovexattr fsetxattr fstat+64 fstatat64 ' +
    'fstatfs+64 getxattr lchown+32 lgetxattr listxattr llistxattr lremovexattr lsetxattr lstat+64 newfstatat ' +
    'removexattr setxattr stat+64 statfs+64 statx',
  waiting:
    '_newselect epoll_create+1 epoll_ctl+_old epoll_pwait+2 epoll_wait+_old eventfd+2 poll ppoll+_time64 ' +
    'pselect6+_time64 select signalfd+4 timerfd_create timerfd_gettime+64 timerfd_settime+64',
  memory:
    'brk madvise membarrier memfd_create memfd_secret mincore mlock+2+all mmap+2 mprotect mremap msync ' +
    'munlock+all munmap process_mrelease remap_file_pages shmat shmctl shmdt shmget',
  processes:
    'capget capset execve+at exit+_group fork futex+_time64 futex_waitv get_robust_list get_thread_area getcpu ' +
    'getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set kill ' +
    'landlock_add_rule landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl ' +
    'prlimit64 restart_syscall rseq sched_get_priority_max sched_get_priority_min sched_getaffinity ' +
    'sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval+_time64 sched_setaffinity ' +
    'sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_thread_area ' +
    'set_tid_address setpgid setpriority setrlimit setsid tgkill times tkill ugetrlimit vfork wait4 waitid waitpid',
  signals:
    'rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend ' +
    'rt_sigtimedwait+_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn',
  identity:
    'getegid+32 geteuid+32 getgid+32 getgroups+32 getresgid+32 getresuid+32 getuid+32 setfsgid+32 setfsuid+32 ' +
    'setgid+32 setgroups+32 setregid+32 setresgid+32 setresuid+32 setreuid+32 setuid+32',
  sockets:
    'accept+4 bind connect getpeername getsockname getsockopt listen recv+from recvmmsg+_time64 recvmsg ' +
    'send+mmsg+msg+to setsockopt shutdown socket+call+pair',
  'interprocess communication':
    'ipc mq_getsetattr mq_notify mq_open mq_timedreceive+_time64 mq_timedsend+_time64 mq_unlink msgctl msgget ' +
    'msgrcv msgsnd semctl semget semop semtimedop+_time64',
  time:
    'adjtimex alarm clock_adjtime+64 clock_getres+_time64 clock_gettime+64 clock_nanosleep+_time64 getitimer ' +
    'gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime+64 ' +
    'timer_settime+64',
  information: 'getrandom sysinfo uname',
};

/** Allowed to containers that have the capability. */
export const BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN:
    'bpf clone+3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount+_setattr move_mount ' +
    'name_to_handle_at open_tree perf_event_open quotactl+_fd setdomainname sethostname setns syslog umount+2 unshare',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module finit_module init_module',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'ioperm iopl',
  CAP_SYS_TIME: 'clock_settime settimeofday stime',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYSLOG: 'syslog',
};

/** Allowed on some architectures only (named as in Docker's profiles). */
export const BY_ARCH: Readonly<Record<string, string>> = {
  amd64: 'arch_prctl modify_ldt',
  x86: 'modify_ldt',
  arm: 'arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2',
  arm64: 'arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2',
  ppc64le: 'sync_file_range2',
  s390: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr',
  s390x: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr',
};

/** Allowed from a kernel version on: ptrace could escape the filter before 4.8. */
export const BY_KERNEL: readonly {
  readonly major: number;
  readonly minor: number;
  readonly names: string;
}[] = [{ major: 4, minor: 8, names: 'ptrace' }];

/** The names that a group stands for. */
export function expandNames(group: string): string[] {
  return group.split(' ').flatMap((word) => {
    const [name = '', ...suffixes] = word.split('+');
    return [name, ...suffixes.map((suffix) => name + suffix)];
  });
}
