/** What a tar entry is. The type flags are POSIX ustar's (`0`/`7` file, `1`…`6`) and GNU's (`S` sparse file). */
export type EntryType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** A time with nanoseconds. `sec` may be negative; `nsec` is 0…999 999 999 and always counts forward. */
export interface Timespec {
  readonly sec: number;
  readonly nsec: number;
}

/** A run of bytes of a sparse file that is stored in the archive; everything between runs is a hole. */
export interface SparseRun {
  readonly offset: number;
  readonly length: number;
}

/**
 * One member of a tar archive, after pax records, GNU long names and sparse maps have been folded in.
 * Names, link names and xattr names are bytes, because the kernel's are.
 */
export interface TarEntry {
  readonly type: EntryType;
  /** As in the archive, without a trailing slash; not yet cleaned or checked. */
  readonly name: Buffer;
  /** Set by the reader when the archive wrote slashes after the name: the name with them, as tar-split records it. */
  readonly rawName?: Buffer;
  /** Target of a hard link or symbolic link; empty otherwise. */
  readonly linkName: Buffer;
  /** Permission bits with setuid, setgid and sticky (0o7777); never the file type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname: Buffer;
  readonly gname: Buffer;
  /** Size of the file as it will be on disk, in bytes; 0 for everything but files. */
  readonly size: number;
  readonly mtime: Timespec;
  readonly atime?: Timespec;
  readonly ctime?: Timespec;
  /** Device numbers of `char` and `block` entries, 0 otherwise. */
  readonly devMajor: number;
  readonly devMinor: number;
  /** Extended attributes: name (bytes as a latin1 string, so that it can be a key) to value. From `SCHILY.xattr.*`. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** Present on sparse files: which bytes the archive holds, in order, not overlapping. Their sum is what follows in the archive. */
  readonly sparse?: readonly SparseRun[];
}

/**
 * Limits on what an archive may ask of us, in one place. An archive past one of them is refused by name.
 * A number of entries is deliberately absent: memory does not grow with it.
 */
export const LIMITS = {
  /** Bytes of one pax extended header, as DESIGN.md states. */
  paxHeader: 1024 * 1024,
  /** Bytes of a name or link name (Linux PATH_MAX includes the terminating NUL). */
  path: 4095,
  /** Bytes of one component of a name (Linux NAME_MAX). */
  nameComponent: 255,
  /** Runs in one sparse map: an absurd map must not take unbounded memory. */
  sparseRuns: 1_000_000,
  /** Bytes of one extended attribute's name (Linux XATTR_NAME_MAX). */
  xattrName: 255,
  /** Bytes of one extended attribute's value (Linux XATTR_SIZE_MAX). */
  xattrValue: 65_536,
  /** Lower layers of one overlay mount (OVL_MAX_STACK in the kernel). */
  lowerLayers: 500,
} as const;

/** Receives an archive as it is parsed. All calls are synchronous and in order. */
export interface TarSink {
  /** A member begins; `data` calls for its stored bytes follow, then `endEntry`. */
  entry(entry: TarEntry): void;
  /** Stored bytes of the current file. The buffer is only valid during the call. For sparse files: the runs' bytes, one after another. */
  data(chunk: Buffer): void;
  /** The current member is complete. */
  endEntry(): void;
  /**
   * Bytes of the archive that are not file content, in order: headers, pax and GNU extension members, padding, end
   * blocks and anything after. With these and the contents the archive can be rebuilt byte for byte (tar-split).
   * The buffer is only valid during the call.
   */
  raw?(bytes: Buffer): void;
  /** A pax global header (`g`) with this name was read; its bytes went to `raw`. tar-split records it as an empty member. */
  globalHeader?(name: Buffer): void;
  /** The two zero blocks that end an archive were read; what `raw` gets from here on is padding or garbage. */
  endOfArchive?(): void;
}
