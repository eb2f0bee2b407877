/** What a subject's data lies on, made for it alone. */

/** What stores can be made of. */
export const STORE_KINDS = ['ext4', 'xfs', 'btrfs', 'thin-pool', 'zpool'] as const;

/** See `STORE_KINDS`. */
export type StoreKind = (typeof STORE_KINDS)[number];

/** A store, ready. Disposing of it unmounts all that is on it and takes it away. */
export interface Store extends AsyncDisposable {
  readonly kind: StoreKind;
  /** An empty folder for a data root, or for the files of a subject without a driver. */
  readonly path: string;
  /** Its block devices by their names in /sys/block. */
  readonly devices: readonly string[];
  /** The engine's storage options that a driver needs to find it. */
  readonly storageOptions: readonly string[];
  /** The command that made it, without the device. */
  readonly mkfs: string;
  readonly mountOptions: string;
  /** What stands in for the kernel's own; null where nothing does. */
  readonly standIn: string | null;
  /** Has everything that was written on disk. */
  sync(): Promise<void>;
  /** Bytes that are taken, as the filesystem or the pool counts them; right after a `sync`. */
  used(): number;
  /** Gives back to the disk what is not used; not there where that cannot be had. */
  trim?(): Promise<void>;
  /** In how many pieces a file lies on the device, where programs in containers cannot ask; `mount` is the source of the mount that it is on. */
  fragments?(mount: string, inode: bigint): number;
  /** Versions of the programs and modules that it is made by, by their names. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What one is made with. */
export interface StoreOptions {
  /** The folder of its image: the disk that is measured. */
  readonly images: string;
  /** An empty folder of its own for mount points, with a short path. */
  readonly work: string;
  /** Bytes. */
  readonly size: number;
  /** The process that goes on record as the one it belongs to, by its number outside of the namespaces. */
  readonly owner: number;
}
