/**
 * The GraphDriver interface: everything the engine asks of a storage driver. A seventh driver can be written from this
 * file alone, and `src/drivers/conformance/` says whether it keeps its promises.
 *
 * # The model
 *
 * A driver keeps **layers**. Each layer has an **id** (a cache ID: 64 hexadecimal characters, and for the init layer of
 * a container such an id followed by `-init`) and at most one **parent**. Seen through `get`, a layer is the tree of its
 * parent with its own changes on top. How the changes are kept is the driver's business: a directory with whiteouts over
 * lower directories (overlay2, aufs), a writable snapshot or clone of the parent (btrfs, zfs, devicemapper), or a whole
 * copy (vfs).
 *
 * There are two sorts. An **image layer** is made by `create`, filled once by `applyDiff` (or through `get`), and then
 * only read; it may have children. A **container layer** is made by `createReadWrite`, is written for as long as the
 * container lives, and has no children but its own container's layer over its init layer.
 *
 * # A life, from a pulled image to a removed container
 *
 * ```ts
 * await driver.create(base, undefined);                    // an empty layer without a parent
 * await driver.applyDiff(base, undefined, tarOfBase);      // filled from the image's first tar
 * await driver.create(top, base);                          // a layer on top of it …
 * await driver.applyDiff(top, base, tarOfTop);             // … filled from the second; whiteouts delete what base has
 *
 * await driver.createReadWrite(init, top);                 // the container's init layer: mount points, empty files
 * await driver.createReadWrite(container, init, { storageOptions: { size: '10G' } });
 * {
 *   await using mounted = await driver.get(container);     // mounted.path holds all of it, writable
 *   // run something in it
 * }                                                        // released here; the last release unmounts
 * for await (const chunk of driver.diff(container, init)) // what the container changed, as an OCI layer
 *   ...
 * await driver.remove(container);
 * await driver.remove(init);
 * ```
 *
 * # What holds for every method
 *
 * - **Real or refused.** What the kernel, the filesystem or a tool cannot do fails with a `TsengineError` of code
 *   `Unavailable` that says what is missing and how to get it. Nothing is imitated silently.
 * - **Any process may call at any time.** Several processes share one data root. Calls on different layers never
 *   disturb each other. Calls on one layer are serialised by the caller, except `get` and `put`, which the driver counts
 *   under a lock of its own, in files under the exec root (tmpfs: the counts are void after a reboot, as the mounts are).
 * - **Crash-only.** The process may be killed between any two instructions. A layer whose `create` did not return may
 *   be there or not; `remove` of it succeeds either way and leaves nothing. A layer whose `remove` did not return may be
 *   there, whole, or not; it is never there in part under its own id. Mounts and counts that a killed process left are
 *   taken back by `cleanup`, or by the next `put` that finds them.
 * - **Durability is the caller's.** A driver writes; the layer store syncs the filesystem once before it registers a
 *   layer. A driver that keeps metadata outside that filesystem syncs it itself before it returns.
 * - **Cost.** `exists`, `metadata` and `get` do not grow with the number of layers in the store. `diff`, `changes` and
 *   `diffSize` follow what changed where `capabilities.nativeDiff` says so, and the size of the tree otherwise.
 * - **Bytes.** Names in trees and tars are bytes and need not be UTF-8. Ids, labels and options are text.
 * - **Unknown layers** fail with `NotFound`; a `create` of an id that exists fails with `Conflict` and changes nothing.
 */

/** The six drivers' names, as Docker spells them. */
export type DriverName = 'aufs' | 'overlay2' | 'devicemapper' | 'btrfs' | 'zfs' | 'vfs';

/** One row of `info`, in order: `['Backing Filesystem', 'extfs']`. */
export type StatusRow = readonly [label: string, value: string];

/**
 * What may be lost when a file is copied up: its holes, the set-ID bits of one that is not root's, the time of a symbolic link
 * that is renamed, the extended attributes of a symbolic link, what was written to a file of several names when the written name is deleted before the unmount;
 * and what is not of copying up: that a directory was deleted, when one that was made in its place is renamed, or when a name that
 * was in it is asked for after another directory was deleted; and that a name was deleted which something had been renamed to.
 */
export type CopyUpLoss =
  | 'holes'
  | 'set-id'
  | 'link-time'
  | 'link-attributes'
  | 'linked-change'
  | 'remade-rename'
  | 'remade-lookup'
  | 'replaced-removal';

/** What a driver, on this kernel and this store, can do. Tests assert each both ways; nothing is skipped silently. */
export interface Capabilities {
  /** `diff` and `changes` cost what changed, not the size of the tree. */
  readonly nativeDiff: boolean;
  /** `storageOptions.size` of `createReadWrite` limits what a container may write. */
  readonly quota: boolean;
  /** A limit is told by `metadata` alone, as `Size` in bytes; absent where statfs(2) in the container tells it, and so `df`. */
  readonly quotaInMetadata?: true;
  /** The most layers one layer may stand on, itself not counted; `undefined` when there is no limit but space. */
  readonly maxParents: number | undefined;
  /** Names of one file in a lower layer stay one file when one of them is written. */
  readonly hardLinksAcrossCopyUp: boolean;
  /** Times keep their nanoseconds. */
  readonly nanoseconds: boolean;
  /** `trusted.*`, `security.*` and `user.*` extended attributes are kept. */
  readonly xattrs: boolean;
  /** `get` mounts layers that have a parent, and counts: such a layer is not removed while somebody has it; else it is, at once. */
  readonly mounts: boolean;
  /** `remove` of a layer on which another one stands fails with `Conflict`; else it goes, and that one keeps all that it has. */
  readonly refusesParents: boolean;
  /**
   * A file that is written anew with its size kept, and its time put back, does not count as changed: a layer shares no inodes with its
   * parent, so that no time of last change tells.
   */
  readonly missesKeptTimes?: true;
  /** What a file of a lower layer loses when it, or an attribute of it, is written; absent where nothing is lost. */
  readonly copyUpLoses?: readonly CopyUpLoss[];
  /** Bytes of the longest name that can be made in a layer that has a parent; absent where it is the kernel's, 255. */
  readonly longestName?: number;
  /** Layers are filesystems of the driver's own making: what the one under `home` cannot keep, files in them still can. */
  readonly ownFilesystems?: true;
  /** A container may rename a directory that comes from a lower layer; else rename(2) says `EXDEV` and programs copy. */
  readonly renameLowerDirectory: boolean;
}

/** Options for a new layer. */
export interface CreateOptions {
  /** Docker's `--storage-opt` of a container, by key. A driver refuses keys it does not know, by name. */
  readonly storageOptions?: Readonly<Record<string, string>>;
  /** SELinux label for the mounts of this layer. */
  readonly mountLabel?: string;
}

/** How a layer is to be mounted. */
export interface MountOptions {
  /**
   * What is written need not survive a crash of the machine: the layer is removed then anyway. A driver may leave out
   * every sync, that of the unmount and those that the container asks for. Ignored while the layer is mounted already.
   */
  readonly isVolatile?: boolean;
  /**
   * The caller only reads, and goes on seeing the layer when others stop using it. The path is good in this process alone,
   * and a driver takes care that a crash leaves nothing mounted and nothing counted.
   */
  readonly isReadOnly?: boolean;
}

/** A mounted layer. Dispose of it, or call `put`, exactly once. */
export interface MountedLayer extends AsyncDisposable {
  /** Absolute path at which the layer, with all its parents, is read and written. */
  readonly path: string;
  /** How many names a file has is told rightly only once all directories have been listed. */
  readonly countsNamesLate?: true;
}

/** Which files' contents a layer's tar needs, found without mounting more than must be. Dispose of it exactly once. */
export interface DiffSource extends AsyncDisposable {
  /** A directory below which every regular file that the layer itself adds is found by the name it has in the tar. */
  readonly root: string;
}

/** How a path of a layer differs from the parent, in Docker's words: 0 modified, 1 added, 2 deleted. */
export type ChangeKind = 'modified' | 'added' | 'deleted';

/** One changed path. */
export interface Change {
  readonly kind: ChangeKind;
  /** Absolute within the layer, `/` first, no slash at the end; bytes. */
  readonly path: Buffer;
}

/** What `applyDiff` may be asked to record while it reads the tar, which is read only once. */
export interface ApplyOptions {
  /** A path at which Docker's gzipped tar-split of the archive is written, so that it can be rebuilt byte for byte. */
  readonly tarSplit?: string;
}

/** What `applyDiff` found. */
export interface Applied {
  /** Bytes of file contents that the archive adds: what Docker records as a layer's size. */
  readonly size: number;
}

/** A storage driver, opened on one data root. */
export interface GraphDriver {
  readonly name: DriverName;
  readonly capabilities: Capabilities;

  /** Rows for `info`: backing filesystem, d_type, native diff, pool, space, which backend serves it. */
  status(): Promise<readonly StatusRow[]>;

  /** Makes an empty layer on top of `parent` (of nothing when `undefined`) that will hold an image layer. */
  create(id: string, parent: string | undefined, options?: CreateOptions): Promise<void>;

  /** Makes an empty layer on top of `parent` that a container will write. */
  createReadWrite(id: string, parent: string | undefined, options?: CreateOptions): Promise<void>;

  /**
   * Mounts the layer, or counts one more user of it when it is mounted, and gives where. Image layers may be given
   * read-only or without any mount. The path stays the same for as long as the count is above zero.
   */
  get(id: string, mountLabel?: string, options?: MountOptions): Promise<MountedLayer>;

  /** One release of `get`. The last one unmounts. One too many is harmless. */
  put(id: string): Promise<void>;

  /**
   * Removes the layer, in one step as seen by a later start: it is first renamed or marked away, then deleted. A layer
   * that is not there is no error. A layer in use (`get` without `put`) fails with `Conflict` where `capabilities.mounts` is
   * true, and one with children where `capabilities.refusesParents` is.
   */
  remove(id: string): Promise<void>;

  /** Whether the layer is there. Cheap: a look at the disk. */
  exists(id: string): Promise<boolean>;

  /** What `docker inspect` shows as `GraphDriver.Data`, or `undefined` when the driver has nothing to show. */
  metadata(id: string): Promise<Readonly<Record<string, string>> | undefined>;

  /** The ids of all layers, in no order. For checks and repairs: its cost is that of a directory listing. */
  list(): Promise<readonly string[]>;

  /**
   * What the layer adds to `parent`, as an uncompressed OCI layer: `.wh.NAME` for what is gone, `.wh..wh..opq` in a
   * directory that hides the lower one of its name, xattrs, hard links, sparse files, device nodes. Entries are sorted by
   * path bytes, so that the same tree gives the same tar. With `parent` undefined, the layer against nothing. The
   * driver's own marks are never in it.
   */
  diff(id: string, parent: string | undefined): AsyncIterable<Buffer>;

  /** The same as a list of paths, sorted by bytes. A directory is `modified` when something in it changed, as in Docker. */
  changes(id: string, parent: string | undefined): Promise<readonly Change[]>;

  /**
   * Fills the layer from an uncompressed tar, the reverse of `diff`. The archive is hostile: no entry is written outside
   * the layer. On failure the layer is in pieces and must be removed. The stream is consumed to its end.
   */
  applyDiff(
    id: string,
    parent: string | undefined,
    tar: AsyncIterable<Buffer>,
    options?: ApplyOptions,
  ): Promise<Applied>;

  /**
   * Bytes that the layer adds to `parent`: what the files and symbolic links that it adds or changes say they hold,
   * each inode once, holes included. Docker's `ps --size` shows the same.
   */
  diffSize(id: string, parent: string | undefined): Promise<number>;

  /** Where the contents of the files that the layer adds can be read, to rebuild its tar from a tar-split. */
  diffSource(id: string, parent: string | undefined): Promise<DiffSource>;

  /** Unmounts everything this driver mounted on this data root and forgets the counts. Idempotent. Not while containers run. */
  cleanup(): Promise<void>;
}

/** What a driver is opened with. */
export interface DriverContext {
  /** The driver's own folder in the data root: `<data-root>/<driver>`. Made by the driver when absent. */
  readonly home: string;
  /** A folder on tmpfs for counts of mounts and locks: `<exec-root>/<driver>`. Made by the driver when absent. */
  readonly runHome: string;
  /** Docker's `--storage-opt` values of the engine, `key` to `value`, in order. Keys may carry the driver's prefix. */
  readonly options: readonly (readonly [key: string, value: string])[];
  /**
   * The store is only looked at, perhaps on a read-only filesystem, perhaps while another engine works on it: nothing
   * below `home` is written, not even a lock or a mount point. `get` then gives a tree that cannot be written, with
   * nothing of it left when the process dies, and every method that would change something fails with `Forbidden`.
   */
  readonly readOnly?: boolean;
  /** Receives one-line warnings for people. */
  warn(message: string): void;
}

/** Whether a driver could serve a data root, without changing anything there. */
export type Support =
  | {
      readonly supported: true;
      /** What serves, where there are several that could. */
      readonly by?: string;
      /** What it does without here, one line each. */
      readonly notes?: readonly string[];
    }
  | {
      readonly supported: false;
      readonly reason: string;
      /** It lacks a program: whether this kernel could serve is not known. `open` then fails with a `LackingHereError`. */
      readonly lacksProgram?: boolean;
    };

/** How the registry knows a driver, before it is opened. */
export interface DriverFactory {
  readonly name: DriverName;
  /** The one filesystem that can hold its layers, as mount(8) calls it; absent where several can. */
  readonly onlyOn?: string;
  /**
   * Whether this kernel and the filesystem under `home` can serve it; the reason is one line with the way out. Leaves nothing
   * behind. Fails with `InvalidParameter` on an option that `open` would refuse by itself.
   */
  probe(context: DriverContext): Promise<Support>;
  /** Whether `home` holds layers of this driver. Cheap. */
  hasData(home: string): boolean;
  /** Opens the driver; fails with `Unavailable` where `probe` says no, with `InvalidParameter` on a bad option. */
  open(context: DriverContext): Promise<GraphDriver>;
  /**
   * How `driver setup` makes a place for this driver on a file; absent where any folder will do. Apart from the driver, so
   * that it is loaded by whoever needs it.
   */
  readonly stores?: () => Promise<StoreMaker>;
}

/** Where a store is, or is to be. */
export interface StorePlace {
  /** The driver's folder in the data root. */
  readonly home: string;
  /** The driver's folder in the exec root. */
  readonly runHome: string;
  /** The file that holds it. */
  readonly image: string;
  /** Its size in bytes. */
  readonly size: number;
  /** How tsengine is called on the data root, as sh(1) reads it, for commands that messages suggest. */
  readonly program: string;
  /** The command that takes the store away, for the same. */
  readonly teardown: string;
}

/** Makes a filesystem or a pool on a file, and brings it to the driver's home. One process at a time calls. */
export interface StoreMaker {
  /** The store is in the driver's home, where `image` is not used. */
  readonly inHome?: true;
  /** Fails where storage options cannot be those of a store on a file. Without it a store has none that are settled as it is made. */
  checkOptions?(options: DriverContext['options']): void;
  /** Whatever is done with a store whose file finds no room waits for it, without a word. */
  readonly waitsForRoom?: true;
  /** Fails with `Unavailable` and the way out where this machine cannot have such a store: no kernel module, no tools. */
  check(): Promise<void>;
  /** Makes it in `image`, which is a hole of its size, with options that `checkOptions` took. */
  make(place: StorePlace, options: DriverContext['options']): Promise<void>;
  /** Whether it is where the driver finds it. Cheap. */
  isAttached(place: StorePlace): Promise<boolean>;
  /** Whether what is attached takes no writes any more, because its file could not be written. Cheap. */
  hasFailed?(place: StorePlace): boolean;
  /** Brings it there. */
  attach(place: StorePlace): Promise<void>;
  /** The reverse; harmless where it is not attached, or only half made. Fails with `Conflict` while something uses it. */
  detach(place: StorePlace): Promise<void>;
  /** Whether no layer is in it, for a driver whose `hasData` cannot know. Only of what is attached. */
  isEmpty?(place: StorePlace): Promise<boolean>;
  /** The command that takes down what the driver itself keeps for a home that nothing uses; `undefined` where there is nothing. */
  commandToTakeDown?(home: string): string | undefined;
}
