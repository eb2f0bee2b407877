/** The flags that `run` and `create` share, and the request they make. What the docker client sends, with the same defaults. */
import { type Command, Option } from 'commander';
import { containerConfigSchema } from '../engine/api/container-config.ts';
import { hostConfigSchema } from '../engine/api/host-config.ts';
import type { CreateContainer } from '../engine/api/services.ts';
import { TsengineError } from '../errors.ts';
import { readFile } from '../linux/files.ts';
import { parseEnv, parseLabels } from './flags/env.ts';
import { usageError } from './flags/flag-error.ts';
import { parseMountFlag } from './flags/mount.ts';
import { parseNetworkFlag } from './flags/network.ts';
import { parseSecurityFlags } from './flags/security-opt.ts';
import { parseUlimits } from './flags/ulimit.ts';
import { parseTmpfsFlags, parseVolumeFlags } from './flags/volume.ts';
import { listOption } from './options.ts';

/** The flags as commander reads them. */
export interface ContainerFlags {
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly cgroupParent?: string;
  readonly cidfile?: string;
  readonly domainname?: string;
  readonly entrypoint?: string;
  readonly env: readonly string[];
  readonly envFile: readonly string[];
  readonly hostname?: string;
  readonly init?: boolean;
  readonly interactive?: boolean;
  readonly label: readonly string[];
  readonly labelFile: readonly string[];
  readonly mount: readonly string[];
  readonly name?: string;
  readonly network?: string;
  readonly oomScoreAdj?: string;
  readonly privileged?: boolean;
  readonly readOnly?: boolean;
  readonly rm?: boolean;
  readonly securityOpt: readonly string[];
  readonly stopSignal?: string;
  readonly storageOpt: readonly string[];
  readonly tmpfs: readonly string[];
  readonly tty?: boolean;
  readonly ulimit: readonly string[];
  readonly user?: string;
  readonly volume: readonly string[];
  readonly workdir?: string;
}

/** Declares the flags, in Docker's words. */
export function containerFlags(command: Command): Command {
  return command
    .addOption(listOption('--cap-add <list>', 'Add Linux capabilities'))
    .addOption(listOption('--cap-drop <list>', 'Drop Linux capabilities'))
    .option('--cgroup-parent <string>', 'Optional parent cgroup for the container')
    .option('--cidfile <string>', 'Write the container ID to the file')
    .option('--domainname <string>', 'Container NIS domain name')
    .option('--entrypoint <string>', 'Overwrite the default ENTRYPOINT of the image')
    .addOption(listOption('-e, --env <list>', 'Set environment variables'))
    .addOption(listOption('--env-file <list>', 'Read in a file of environment variables'))
    .option('-h, --hostname <string>', 'Container host name')
    .option('--init', 'Run an init inside the container that forwards signals and reaps processes')
    .option('-i, --interactive', 'Keep STDIN open even if not attached')
    .addOption(listOption('-l, --label <list>', 'Set meta data on a container'))
    .addOption(listOption('--label-file <list>', 'Read in a line delimited file of labels'))
    .addOption(listOption('--mount <mount>', 'Attach a filesystem mount to the container'))
    .option('--name <string>', 'Assign a name to the container')
    .option('--network <network>', 'Connect a container to a network: "none" or "host"')
    .option('--oom-score-adj <int>', "Tune host's OOM preferences (-1000 to 1000)")
    .option('--privileged', 'Give extended privileges to this container')
    .option('--read-only', "Mount the container's root filesystem as read only")
    .option('--rm', 'Automatically remove the container when it exits')
    .addOption(listOption('--security-opt <list>', 'Security Options'))
    .option('--stop-signal <string>', 'Signal to stop a container')
    .addOption(listOption('--storage-opt <list>', 'Storage driver options for the container'))
    .addOption(listOption('--tmpfs <list>', 'Mount a tmpfs directory'))
    .addOption(new Option('-t, --tty').hideHelp())
    .addOption(listOption('--ulimit <ulimit>', 'Ulimit options'))
    .option('-u, --user <string>', 'Username or UID (format: <name|uid>[:<group|gid>])')
    .addOption(listOption('-v, --volume <list>', 'Bind mount a volume'))
    .option('-w, --workdir <string>', 'Working directory inside the container');
}

/** The request for a container of `image` that runs `words`. `detached` says that nobody is attached at its start. */
export function containerRequest(
  flags: ContainerFlags,
  image: string,
  words: readonly string[],
  detached: boolean,
): CreateContainer {
  if (flags.tty === true) {
    throw new TsengineError(
      'NotImplemented',
      'terminals (-t) are not supported yet: leave it out, -i alone passes input',
    );
  }
  if (image === '') throw usageError('invalid reference format');
  const stdin = flags.interactive === true;
  const volumes = parseVolumeFlags(flags.volume);
  const config = containerConfigSchema.parse({
    Hostname: flags.hostname ?? '',
    Domainname: flags.domainname ?? '',
    User: flags.user ?? '',
    AttachStdin: stdin && !detached,
    AttachStdout: !detached,
    AttachStderr: !detached,
    OpenStdin: stdin,
    StdinOnce: stdin && !detached,
    Env: parseEnv(flags.env, flags.envFile, process.env, readFile),
    Cmd: words.length > 0 ? words : null,
    Image: image,
    Volumes: volumes.Volumes,
    WorkingDir: flags.workdir ?? '',
    Entrypoint: entrypoint(flags.entrypoint),
    Labels: parseLabels(flags.label, flags.labelFile, readFile),
    ...(flags.stopSignal === undefined ? {} : { StopSignal: flags.stopSignal }),
  });
  return {
    ...(flags.name === undefined ? {} : { name: flags.name }),
    config,
    hostConfig: hostConfig(flags, volumes.Binds),
  };
}

/** Lists of flags that we lack, which the docker client sends empty rather than not at all: `inspect` shows it. */
const SENT_EMPTY = {
  BlkioWeightDevice: [],
  Devices: [],
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  PortBindings: {},
};

function hostConfig(flags: ContainerFlags, binds: readonly string[]): CreateContainer['hostConfig'] {
  const security = parseSecurityFlags(flags.securityOpt, (path) => readFile(path).toString('utf8'));
  return hostConfigSchema.parse({
    Binds: binds.length > 0 ? binds : null,
    ...SENT_EMPTY,
    ContainerIDFile: flags.cidfile ?? '',
    NetworkMode: flags.network === undefined ? 'default' : networkMode(flags.network),
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: flags.rm === true,
    CapAdd: flags.capAdd.length > 0 ? flags.capAdd : null,
    CapDrop: flags.capDrop.length > 0 ? flags.capDrop : null,
    OomScoreAdj: oomScoreAdj(flags.oomScoreAdj),
    Privileged: flags.privileged === true,
    ReadonlyRootfs: flags.readOnly === true,
    SecurityOpt: security.options.length > 0 ? security.options : null,
    CgroupParent: flags.cgroupParent ?? '',
    Ulimits: flags.ulimit.length > 0 ? parseUlimits(flags.ulimit) : null,
    ...(flags.storageOpt.length > 0 ? { StorageOpt: storageOptions(flags.storageOpt) } : {}),
    ...(flags.tmpfs.length > 0 ? { Tmpfs: parseTmpfsFlags(flags.tmpfs) } : {}),
    ...(flags.mount.length > 0 ? { Mounts: flags.mount.map(parseMountFlag) } : {}),
    ...(security.unmaskedPaths ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    ...(flags.init === undefined ? {} : { Init: flags.init }),
  });
}

/** An empty `--entrypoint` takes the image's away: Docker writes it as one empty word. */
function entrypoint(value: string | undefined): string[] | null {
  return value === undefined ? null : [value];
}

function networkMode(value: string): string {
  return parseNetworkFlag(value).name;
}

function oomScoreAdj(value: string | undefined): number {
  if (value === undefined) return 0;
  const wrong = !/^[+-]?[0-9]+$/.test(value)
    ? 'invalid syntax'
    : Number.isSafeInteger(Number(value))
      ? undefined
      : 'value out of range';
  if (wrong === undefined) return Number(value);
  throw usageError(
    `invalid argument "${value}" for "--oom-score-adj" flag: strconv.ParseInt: parsing "${value}": ${wrong}`,
  );
}

function storageOptions(values: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const value of values) {
    const equals = value.indexOf('=');
    if (equals < 0) {
      const given = value === '' ? "''" : value;
      throw usageError(`invalid storage option: --storage-opt ${given} is not KEY=VALUE, such as size=10G`);
    }
    out[value.slice(0, equals)] = value.slice(equals + 1);
  }
  return out;
}
