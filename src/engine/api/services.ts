/**
 * What the engine offers to the command line and, later, to the HTTP API. The shapes are those of Docker's API v1.41,
 * so that `inspect`, `--format` and the socket show what people's scripts expect.
 */
import type { Change } from '../../drivers/driver.ts';
import type { ContainerConfig } from './container-config.ts';
import type { HostConfig } from './host-config.ts';

/** Reports how far long work has come. Called often; whoever shows it thins it out. */
export type Progress = (step: ProgressStep) => void;

/** One step of long work. */
export interface ProgressStep {
  /** What it works on: a short layer id, a file name. */
  readonly id: string;
  /** What it does: `Loading layer`, `Saving layer`, `Importing`. */
  readonly action: string;
  /** Bytes done, and of how many where that is known. */
  readonly current: number;
  readonly total?: number;
}

/** `key=value` filters of a list, as `--filter` gives them: values by key. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** One image in a list. */
export interface ImageSummary {
  /** `sha256:…` */
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  /** Seconds since 1970. */
  readonly Created: number;
  /** Bytes of all layers together. */
  readonly Size: number;
  readonly VirtualSize: number;
  readonly SharedSize: number;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** How many containers use it; -1 when it was not counted. */
  readonly Containers: number;
}

/** `docker image inspect`. Further keys of Docker's are in it too. */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly [key: string]: unknown;
}

/** One row of `docker history`, newest first. */
export interface HistoryItem {
  /** `sha256:…`, or `<missing>`. */
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

/** One thing `rmi` did. */
export type ImageDeleteItem = { readonly Untagged: string } | { readonly Deleted: string };

/** What `image prune` did, and the bytes of the layers that went. */
export interface PrunedImages {
  readonly deleted: readonly ImageDeleteItem[];
  readonly spaceReclaimed: number;
}

/** The ids of the containers that `container prune` removed, and the bytes that they had added. */
export interface PrunedContainers {
  readonly deleted: readonly string[];
  readonly spaceReclaimed: number;
}

/** Options of `import`. */
export interface ImportOptions {
  /** `repository[:tag]` to give the image. */
  readonly reference?: string;
  /** Dockerfile instructions, as `--change` gives them. */
  readonly changes?: readonly string[];
  readonly message?: string;
  /** `os[/arch[/variant]]`. */
  readonly platform?: string;
  readonly progress?: Progress;
}

/** What `load` found in an archive, in its order. */
export interface LoadedImage {
  /** `sha256:…` */
  readonly id: string;
  /** Familiar names that now point to it; empty when the archive names none. */
  readonly references: readonly string[];
}

/** Options of `load`. */
export interface LoadOptions {
  readonly progress?: Progress;
  /**
   * A path under which the same bytes can be read at random (`/proc/self/fd/0` does for a redirected standard input). A
   * regular file that is not compressed is read from there, each byte once, and the stream is left alone.
   */
  readonly file?: string;
  /** Called as soon as an image is on record: what fails later does not take it away again. */
  readonly loaded?: (image: LoadedImage) => void;
}

/** Images and their names. Every method that takes `name` takes a reference, an id or an unambiguous prefix of one. */
export interface ImageService {
  list(options?: {
    readonly all?: boolean;
    readonly filters?: Filters;
    readonly digests?: boolean;
  }): Promise<ImageSummary[]>;
  inspect(name: string): Promise<ImageInspect>;
  history(name: string): Promise<HistoryItem[]>;
  /** The command line that brings an image of this name from another driver of the data root; `undefined` where none has it. */
  bringing(name: string): Promise<string | undefined>;
  tag(source: string, target: string): Promise<void>;
  remove(
    name: string,
    options?: { readonly force?: boolean; readonly noPrune?: boolean },
  ): Promise<ImageDeleteItem[]>;
  /** Removes images that nothing uses: those without a name, or all with the filter `dangling=false`. */
  prune(filters: Filters): Promise<PrunedImages>;
  /** Makes an image of one layer from a root filesystem as tar, plain or compressed. Gives its `sha256:…` id. */
  import(tar: AsyncIterable<Buffer>, options?: ImportOptions): Promise<string>;
  /** Reads a docker-save archive or an OCI layout, as tar, plain or compressed. */
  load(archive: AsyncIterable<Buffer>, options?: LoadOptions): Promise<LoadedImage[]>;
  /** Writes the named images as one archive that Docker and podman load. */
  save(names: readonly string[], options?: { readonly progress?: Progress }): AsyncIterable<Buffer>;
}

/** What `create` is asked for: Docker's `POST /containers/create` body, parted. */
export interface CreateContainer {
  readonly name?: string;
  /** The caller starts it next. One with AutoRemove is removed when the caller dies before that. */
  readonly startsNext?: boolean;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
}

/** One container in a list. */
export interface ContainerSummary {
  readonly Id: string;
  /** With a leading slash, as Docker's API has them. */
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly State: string;
  /** `Up 3 minutes`, `Exited (0) 2 hours ago`. */
  readonly Status: string;
  readonly Ports: readonly unknown[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Mounts: readonly Readonly<Record<string, unknown>>[];
  readonly HostConfig: { readonly NetworkMode: string };
  /** The container's part in each of its networks, by name. */
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
}

/** `docker inspect` of a container. Further keys of Docker's are in it too. */
export interface ContainerInspect {
  readonly Id: string;
  readonly Name: string;
  readonly [key: string]: unknown;
}

/** What `list` of containers is asked for. */
export interface ListContainers {
  readonly all?: boolean;
  readonly latest?: boolean;
  readonly last?: number;
  readonly size?: boolean;
  readonly filters?: Filters;
}

/** Options of `commit`. */
export interface CommitOptions {
  readonly reference?: string;
  readonly author?: string;
  readonly message?: string;
  readonly changes?: readonly string[];
  /** Freeze a running container meanwhile, so that files that belong together are seen together; true unless given. */
  readonly pause?: boolean;
}

/** Options of `logs`. Times are RFC 3339, Unix seconds or durations back from now, as Docker takes them. */
export interface LogsOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly until?: string;
  /** Lines from the end; all when not given. */
  readonly tail?: number;
  readonly timestamps?: boolean;
  /** Before each line what the log driver was told to note (`--log-opt labels=…`, `env=…`), where it did. */
  readonly details?: boolean;
}

/** A piece of a container's output. */
export interface LogChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** A foreground connection to a container that is about to be started, or runs. Dispose of it when done. */
export interface Attachment extends Disposable {
  /** Output as it comes; ends when the container has closed its output or the attachment is disposed of. */
  output(): AsyncIterable<LogChunk>;
  /** Sends input; waits while the container does not read. */
  write(data: Buffer): Promise<void>;
  /** Ends the container's standard input. */
  endInput(): Promise<void>;
}

/** Containers. Every method that takes `name` takes a name, an id or an unambiguous prefix of one. */
export interface ContainerService {
  /** Makes a container. Gives its id, and warnings for people. */
  create(request: CreateContainer): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /**
   * Starts it. `attach` is called between the moment its process exists and the moment it runs, so that no output is
   * lost. Fails with exit code 126 or 127 where the command cannot be executed or found.
   */
  start(name: string, options?: { readonly attach?: (attachment: Attachment) => void }): Promise<void>;
  /** Waits for the end and gives the exit code. When the container is removed at its end, waits for that too. */
  wait(name: string): Promise<number>;
  stop(name: string, options?: { readonly timeout?: number }): Promise<void>;
  kill(name: string, signal?: string): Promise<void>;
  remove(name: string, options?: { readonly force?: boolean; readonly volumes?: boolean }): Promise<void>;
  /** Removes the containers that do not run. */
  prune(filters: Filters): Promise<PrunedContainers>;
  /**
   * Records the end of a container that has ended, and removes it if it is to be removed at its end. Does nothing when
   * that was done already. What conmon's exit command comes to; `id` is a full id.
   */
  recordExit(id: string): Promise<void>;
  list(options?: ListContainers): Promise<ContainerSummary[]>;
  inspect(name: string, options?: { readonly size?: boolean }): Promise<ContainerInspect>;
  changes(name: string): Promise<readonly Change[]>;
  /** The whole root filesystem as tar. */
  export(name: string): AsyncIterable<Buffer>;
  /** Makes an image of the container. Gives its `sha256:…` id. */
  commit(name: string, options?: CommitOptions): Promise<string>;
  logs(name: string, options?: LogsOptions): AsyncIterable<LogChunk>;
  /** The full id of what `name` means. */
  resolve(name: string): Promise<string>;
}

/** `docker info`, with Docker's keys. */
export interface SystemInfo {
  readonly Driver: string;
  readonly DriverStatus: readonly (readonly [string, string])[];
  readonly DockerRootDir: string;
  readonly [key: string]: unknown;
}

/** The engine, opened on a data root. Dispose of it at the end; that unmounts nothing and stops nothing. */
export interface Engine extends AsyncDisposable {
  readonly images: ImageService;
  readonly containers: ContainerService;
  info(): Promise<SystemInfo>;
  /** What is to be told of an error of these methods: the error, or one that says more where the data root's disk is the cause. */
  explained(error: unknown): Promise<unknown>;
}

/** What the engine is opened with: the global flags of the command line, after `daemon.json` has been read. */
export interface EngineOptions {
  readonly dataRoot?: string;
  readonly execRoot?: string;
  /** Only look at the data root: nothing in it is written, and what would change it fails with `Forbidden`. */
  readonly readOnlyRoot?: boolean;
  /** `false` for what needs something that is there: where there is no data root, none is made. Default true. */
  readonly makesRoot?: boolean;
  /** Whether nothing will be changed in the data root, which is told where it cannot be. Default false. */
  readonly onlyReads?: boolean;
  readonly storageDriver?: string;
  /** `key=value`, repeated. */
  readonly storageOpts?: readonly string[];
  /** Path of `daemon.json`; an explicitly named one must exist. */
  readonly configFile?: string;
  /** `runc`, `crun`, or a path. */
  readonly runtime?: string;
  readonly logLevel?: string;
  /** Receives one-line warnings for people. */
  readonly warn?: (message: string) => void;
}
