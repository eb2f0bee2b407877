/** What people know from Docker 20.10 and tsengine does not have yet, so that it can be told from what nobody has. */

const COMMANDS: ReadonlySet<string> = new Set([
  ...[
    'attach',
    'build',
    'builder',
    'buildx',
    'checkpoint',
    'compose',
    'config',
    'context',
    'cp',
    'events',
    'exec',
  ],
  ...['login', 'logout', 'manifest', 'network', 'node', 'pause', 'plugin', 'port', 'pull', 'push', 'rename'],
  ...[
    'restart',
    'search',
    'secret',
    'service',
    'stack',
    'stats',
    'swarm',
    'top',
    'trust',
    'unpause',
    'update',
  ],
  ...['volume', 'wait'],
]);

/** In the groups that there are. */
const IN_GROUPS: Readonly<Record<string, readonly string[]>> = {
  container: [
    ...[
      'attach',
      'cp',
      'exec',
      'pause',
      'port',
      'rename',
      'restart',
      'stats',
      'top',
      'unpause',
      'update',
      'wait',
    ],
  ],
  image: ['build', 'pull', 'push'],
  system: ['df', 'events', 'dial-stdio'],
};

/** Of `run` and `create`. */
const FOR_CONTAINERS = [
  ...['add-host', 'attach', 'blkio-weight', 'blkio-weight-device', 'cgroupns', 'cpu-count', 'cpu-percent'],
  ...['cpu-period', 'cpu-quota', 'cpu-rt-period', 'cpu-rt-runtime', 'cpu-shares', 'cpus', 'cpuset-cpus'],
  ...['cpuset-mems', 'detach-keys', 'device', 'device-cgroup-rule', 'device-read-bps', 'device-read-iops'],
  ...[
    'device-write-bps',
    'device-write-iops',
    'disable-content-trust',
    'dns',
    'dns-opt',
    'dns-option',
    'dns-search',
  ],
  ...[
    'expose',
    'gpus',
    'group-add',
    'health-cmd',
    'health-interval',
    'health-retries',
    'health-start-period',
  ],
  ...[
    'health-timeout',
    'io-maxbandwidth',
    'io-maxiops',
    'ip',
    'ip6',
    'ipc',
    'isolation',
    'kernel-memory',
    'link',
  ],
  ...['link-local-ip', 'log-driver', 'log-opt', 'mac-address', 'memory', 'memory-reservation', 'memory-swap'],
  ...[
    'memory-swappiness',
    'net-alias',
    'network-alias',
    'no-healthcheck',
    'oom-kill-disable',
    'pid',
    'pids-limit',
  ],
  ...['platform', 'publish', 'publish-all', 'pull', 'restart', 'shm-size', 'stop-timeout', 'sysctl', 'tty'],
  ...['userns', 'uts', 'volume-driver', 'volumes-from'],
];
const SHORT_FOR_CONTAINERS = ['a', 'c', 'm', 'p', 'P', 't'];

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  run: [...FOR_CONTAINERS, ...SHORT_FOR_CONTAINERS],
  create: [...FOR_CONTAINERS, ...SHORT_FOR_CONTAINERS],
  start: ['detach-keys', 'checkpoint', 'checkpoint-dir'],
  rm: ['link', 'l'],
};

const YET = ': Docker has it, tsengine does not yet';

/** What to say after the name of a command that is none; nothing for one that Docker has not either. `group` is empty for commands of no group. */
export function commandYet(group: string, name: string): string {
  const known = group === '' ? COMMANDS.has(name) : IN_GROUPS[group]?.includes(name) === true;
  return known ? YET : '';
}

/** The long names of the flags before a command that no flag of a command's has. */
const GLOBAL_FLAGS = [
  'config-file',
  'data-root',
  'exec-root',
  'log-level',
  'read-only-root',
  'runtime',
  'storage-driver',
];

/** Their letters, and what is to be written with each. */
const SHORT_GLOBAL_FLAGS: ReadonlyMap<string, string> = new Map([
  ['s', '-s DRIVER'],
  ['D', '-D'],
]);

/** What to say after a flag that a command has not, by its name without dashes. `commandPath` is how the command was called. */
export function flagYet(commandPath: string, flag: string): string {
  const [program = '', ...words] = commandPath.split(' ');
  if (GLOBAL_FLAGS.includes(flag)) return ', which goes before the command';
  if (FLAGS[words.at(-1) ?? '']?.includes(flag) === true) return YET;
  const written = words.length === 0 ? undefined : SHORT_GLOBAL_FLAGS.get(flag);
  if (written === undefined) return '';
  return `, which goes before the command: ${program} ${written} ${words.join(' ')} …`;
}
