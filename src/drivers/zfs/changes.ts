/**
 * What a layer changed, asked of OpenZFS: a clone keeps its origin's object numbers, which are inode numbers, and an incremental
 * send stream from the origin to a snapshot of now tells which of them changed. Only those and the directories above them are
 * compared. The cost follows the change.
 *
 * `zfs diff` is not asked, because it says nothing of a file that lost the name it got last, and names one of several. Here
 * each path that the kernel gives is looked at, and where it is not that object's, or the object has more names than that
 * one, everything is compared.
 */
import { closeSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { SyscallError } from '../../linux/errno.ts';
import { removeFile, writeNewFile } from '../../linux/files.ts';
import { withRoot } from '../../linux/open-directory.ts';
import { makePipe } from '../../linux/spawn.ts';
import { type FileStat, lstatIfAny, S_IFMT, S_IFREG } from '../../linux/stat.ts';
import { syncFilesystemOf } from '../../linux/sync.ts';
import { zfsSend } from '../../linux/zfs-core.ts';
import { ZfsObjectPaths } from '../../linux/zfs-objects.ts';
import type { Guide } from '../compare-trees.ts';
import { isDirectoryStat } from '../directory.ts';
import type { Guided } from '../naive-diff.ts';
import { PathGuide } from '../path-guide.ts';
import { sameStat, sameTime } from '../same-file.ts';
import type { Staging } from '../staging.ts';
import type { Datasets } from './datasets.ts';
import { ObjectPaths } from './object-paths.ts';
import { SendStream } from './send-stream.ts';

/** What is in the way of a guide: everything is compared then. */
class NoGuide extends Error {}

/** The store that the layers are of. */
export interface GuidedStore {
  readonly datasets: Datasets;
  readonly staging: Staging;
  /** Takes a line for people. */
  warn(message: string): void;
}

/** Gives what is to be compared of a layer and its parent: everything, where it did not begin as a snapshot of that one. */
export function guidedByStream(store: GuidedStore, id: string, parent: string): Guided {
  return async (layer, base, compare) => {
    const guide = await findGuide(store, { id, root: layer }, { id: parent, root: base });
    try {
      return compare(guide);
    } catch (error) {
      if (guide === undefined || !(error instanceof NoGuide)) throw error;
      return compare(undefined);
    }
  };
}

/** A layer, and where it is mounted. */
interface MountedOf {
  readonly id: string;
  readonly root: string;
}

/** The guide, by snapshots of both layers. A kill leaves them, and a file that names them for the next start. */
async function findGuide(
  { datasets, staging, warn }: GuidedStore,
  own: MountedOf,
  base: MountedOf,
): Promise<Guide | undefined> {
  const { madeAt, origin } = await datasets.birth(datasets.name(own.id));
  if (!origin.startsWith(`${datasets.name(base.id)}@`)) return undefined;
  // What is mapped is in no snapshot before that.
  await syncFilesystemOf(own.root);
  using _held = await staging.hold();
  const [snapshot, baseSnapshot] = [datasets.snapshotName(own.id), datasets.snapshotName(base.id)];
  const record = staging.name(own.id);
  writeNewFile(record, `${snapshot}\n${baseSnapshot}`, { durable: false });
  const asOf = Math.trunc(Date.now() / 1000);
  try {
    await datasets.snapshot(snapshot, baseSnapshot);
    const layers = { own: { root: own.root, snapshot }, base: { root: base.root, snapshot: baseSnapshot } };
    return await guideOf({ ...layers, origin, madeAt, asOf });
  } catch (error) {
    // A pool that is full has no room for snapshots. Whatever else the kernel will not tell, comparing finds out.
    if (error instanceof NoGuide || error instanceof SyscallError) return undefined;
    throw error;
  } finally {
    // The answer is there, whatever becomes of them.
    await datasets.dropOrWarn(warn, snapshot, baseSnapshot);
    removeFile(record);
  }
}

/** One of two layers that are compared. */
interface ComparedLayer {
  /** Where it is mounted. */
  readonly root: string;
  /** Its snapshot of now. */
  readonly snapshot: string;
}

/** What is to be compared. */
interface ComparedLayers {
  readonly own: ComparedLayer;
  readonly base: ComparedLayer;
  /** The snapshot of the base that the layer began as. */
  readonly origin: string;
  /** The second since 1970 in which the layer was made. */
  readonly madeAt: bigint;
  /** The second since 1970 before the snapshots of now were taken. */
  readonly asOf: number;
}

/** A snapshot's time, the clock of the kernel's files, and ours may differ by so many seconds. */
const LEEWAY = 2;

/** The guide to what may differ. Fails with `NoGuide`. */
async function guideOf({ own, base, origin, madeAt, asOf }: ComparedLayers): Promise<Guide> {
  if (asOf < Number(madeAt)) throw new NoGuide('the clock was set back');
  const changed = await readStream(own.snapshot, origin, Number(madeAt) - LEEWAY);
  if (changed.wasClockBehind()) throw new NoGuide('the clock was behind');
  // By contract the base stays as it is: whatever its stream has counts.
  const changedBelow = await readStream(base.snapshot, origin, 0);
  const guide = new ObjectGuide();
  using kernel = new ZfsObjectPaths();
  addAll(guide, kernel, { ...own, asOf, isOwn: true }, changed);
  addAll(guide, kernel, { ...base, asOf, isOwn: false }, changedBelow);
  withRoot(base.root, (fd) => {
    // Whoever writes sets both times; one that is earlier may have been set so before.
    const isStamped = ({ ino, mtime, ctime }: FileStat): boolean =>
      changed.hasContents(Number(ino)) && mtime.sec > Number(madeAt) + LEEWAY && sameTime(mtime, ctime);
    guide.addWritten((path, stat) => isStamped(stat) || differs(stat, fd, path));
  });
  return guide;
}

async function readStream(snapshot: string, origin: string, since: number): Promise<SendStream> {
  const stream = new SendStream(since);
  const pipe = makePipe(PIECE);
  const sent = zfsSend(snapshot, origin, pipe.write).finally(() => closeSync(pipe.write));
  const over = sent.catch(() => {});
  try {
    await readAll(pipe.read, (chunk) => stream.push(chunk));
  } finally {
    closeSync(pipe.read);
    // As long as it works, its snapshot is busy.
    await over;
  }
  await sent;
  if (!stream.isWhole()) throw new NoGuide('the stream was cut off');
  return stream;
}

/** What is read at a time: as much as the pipe holds, and the most that a kernel gives one by default. */
const PIECE = 1 << 20;

async function readAll(fd: number, take: (chunk: Buffer) => void): Promise<void> {
  const buffer = Buffer.alloc(PIECE);
  for (;;) {
    const { bytesRead } = await promisify(read)(fd, buffer, 0, PIECE, null);
    if (bytesRead === 0) return;
    take(buffer.subarray(0, bytesRead));
  }
}

/** How the kernel calls what has the extended attributes of a file in a path. */
const ATTRIBUTES = '/<xattrdir>';

function addAll(
  guide: ObjectGuide,
  kernel: ZfsObjectPaths,
  { root, snapshot, asOf, isOwn }: ComparedLayer & Pick<ComparedLayers, 'asOf'> & { readonly isOwn: boolean },
  stream: SendStream,
): void {
  withRoot(root, (fd) => {
    const paths = new ObjectPaths({ root: fd, snapshot, asOf: asOf - LEEWAY }, kernel, stream);
    for (const object of stream.changed()) {
      const path = paths.pathOf(object);
      if (path === 'deleted') continue;
      if (path === undefined) throw new NoGuide(`object ${object} has no path`);
      const stat = addOne(guide, { fd, isOwn }, path, object);
      if (stat === undefined || stat.ctime.sec < asOf - LEEWAY) continue;
      // It may have been moved since the snapshot.
      const before = paths.inSnapshot(object);
      if (before === undefined || before === 'deleted' || !before.equals(path))
        throw new NoGuide(`object ${object} was elsewhere`);
    }
  });
}

/** Gives the file that is at the path, where it is the object itself. */
function addOne(
  guide: ObjectGuide,
  { fd, isOwn }: { readonly fd: number; readonly isOwn: boolean },
  path: Buffer,
  object: number,
): FileStat | undefined {
  const relative = path.length <= 1 ? Buffer.from('.') : path.subarray(1);
  const stat = lstatIfAny(fd, relative);
  const attributes = path.lastIndexOf(ATTRIBUTES);
  if (stat === undefined && attributes > 0) {
    // A change of an attribute is one of the file, whichever that is by now.
    guide.addPath(path.toString('latin1', 0, attributes), false);
    return undefined;
  }
  // Changed since: a running container works on.
  if (stat === undefined || Number(stat.ino) !== object) throw new NoGuide(`object ${object} is elsewhere`);
  const isDirectory = isDirectoryStat(stat);
  if (!isDirectory && stat.nlink > 1) throw new NoGuide(`object ${object} has several names`);
  guide.addPath(path.length <= 1 ? '' : path.toString('latin1'), isDirectory, isOwn ? stat : undefined);
  return stat;
}

class ObjectGuide extends PathGuide {
  /** Whether a folder is the same one in both trees. */
  readonly #kept = new Map<string, boolean>([['', true]]);

  /**
   * Finds out which files were written, when all that changed was added. Only those are asked for whose folder was not changed itself, nor
   * any above it: both trees have them under the same path, and no symbolic link is followed to it.
   */
  addWritten(wasWritten: (path: string, stat: FileStat) => boolean): void {
    for (const [path, stat] of this.changed) {
      if (stat === undefined || stat.nlink !== 1 || (stat.mode & S_IFMT) !== S_IFREG) continue;
      if (!this.#isKept(path.slice(0, path.lastIndexOf('/')))) continue;
      if (wasWritten(path, stat)) this.written.add(path);
    }
  }

  /** A directory whose object did not change was not moved either: the kernel writes into it where it is. */
  #isKept(folder: string): boolean {
    const known = this.#kept.get(folder);
    if (known !== undefined) return known;
    const kept = !this.changed.has(folder) && this.#isKept(folder.slice(0, folder.lastIndexOf('/')));
    this.#kept.set(folder, kept);
    return kept;
  }

  /** Only a changed directory is read; what else has several names is compared as a whole. */
  pathsOf(inode: bigint): readonly Buffer[] {
    throw new NoGuide(`inode ${inode} has several names`);
  }
}

/** Whether a file of the compared tree says something else of itself than the one in the other tree. */
function differs(stat: FileStat, base: number, path: string): boolean {
  const before = lstatIfAny(base, Buffer.from(path.slice(1), 'latin1'));
  return before?.ino === stat.ino && before.nlink === 1 && !sameStat(before, stat);
}
