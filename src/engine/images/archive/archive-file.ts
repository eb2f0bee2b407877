/**
 * An image archive whose members can be read in any order: a regular file as it is, anything else (a pipe, a compressed
 * file) through a copy without a name on the data root's filesystem, which vanishes with this process.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { DETECT_BYTES, decompress, detectCompression } from '../../../archive/compression.ts';
import { hasErrno, TsengineError } from '../../../errors.ts';
import { O_DIRECTORY, O_RDWR } from '../../../linux/at.ts';
import { openFile, readInto, removeFile, writeAll } from '../../../linux/files.ts';
import type { DataRoot } from '../../root.ts';
import { openLayoutFolder } from './layout-folder.ts';
import { cleanName, indexTar, type Member, type MemberSource } from './tar-index.ts';

/** `O_TMPFILE` without `O_DIRECTORY`, which it includes. Source: `asm-generic/fcntl.h`. */
const O_TMPFILE = 0o20000000;
const CHUNK = 1024 * 1024;
/** Symbolic links that are followed to find one member. */
const MAX_LINKS = 40;

/** The members of an uncompressed tar. */
class TarMembers implements MemberSource {
  readonly size: number;
  readonly #fd: number;
  readonly #members: ReadonlyMap<string, Member>;

  constructor(fd: number) {
    this.#fd = fd;
    this.size = fstatSync(fd).size;
    this.#members = indexTar((offset, length) => readAt(fd, offset, length), this.size);
  }

  names(): string[] {
    return [...this.#members.keys()];
  }

  find(name: string): Member | undefined {
    return this.#members.get(name);
  }

  read(member: Member, buffer: Buffer, offset: number, length: number, position: number): number {
    return readInto(
      this.#fd,
      buffer,
      offset,
      Math.min(length, member.size - position),
      member.offset + position,
    );
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, buffer, done, length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return buffer.subarray(0, done);
}

/** An open archive, or a folder that is like one. Dispose of it in the end. */
export class ArchiveFile implements Disposable {
  readonly #source: MemberSource;

  constructor(source: MemberSource) {
    this.#source = source;
  }

  /** Of the archive, in bytes. */
  get size(): number {
    return this.#source.size;
  }

  /** The names of all members. */
  names(): string[] {
    return this.#source.names();
  }

  /** The file that `name` stands for, links followed within the archive; `undefined` when there is none. */
  member(name: string): Member | undefined {
    let at = cleanName(posix.normalize(name));
    for (let links = 0; links < MAX_LINKS; links++) {
      const member = this.#source.find(at);
      if (member === undefined || member.type === 'file') return member;
      if (member.type !== 'link') return undefined;
      // `..` at the archive's root stays there.
      at = cleanName(posix.resolve('/', posix.dirname(at), member.link));
    }
    return undefined;
  }

  /** A small member, whole. Fails with `Corrupt` when it is missing or larger than `max` bytes. */
  bytes(name: string, max: number): Buffer {
    const member = this.#needed(name);
    if (member.size > max) {
      throw new TsengineError(
        'Corrupt',
        `${name} in the archive has ${member.size} bytes, more than the ${max} allowed`,
      );
    }
    return this.#head(member, member.size);
  }

  /**
   * The content of a member. The chunks of an uncompressed one share a buffer: each is valid until the next is asked
   * for. `read` is told how far it has come.
   */
  async *stream(name: string, read?: (done: number, total: number) => void): AsyncGenerator<Buffer> {
    const member = this.#needed(name);
    const { size } = member;
    const compressed = detectCompression(this.#head(member, Math.min(size, DETECT_BYTES))) !== 'none';
    const shared = Buffer.allocUnsafeSlow(Math.min(size, CHUNK));
    for (let done = 0; done < size; ) {
      const buffer = compressed ? Buffer.allocUnsafeSlow(CHUNK) : shared;
      const count = this.#source.read(member, buffer, 0, Math.min(buffer.length, size - done), done);
      if (count === 0)
        throw new TsengineError('Corrupt', `${name}: the archive was cut short while it was read`);
      done += count;
      yield buffer.subarray(0, count);
      read?.(done, size);
    }
  }

  #needed(name: string): Member {
    const member = this.member(name);
    if (member === undefined) throw new TsengineError('Corrupt', `${name} is missing in the archive`);
    return member;
  }

  /** The beginning of a member. */
  #head(member: Member, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const count = this.#source.read(member, buffer, done, length - done, done);
      if (count === 0) break;
      done += count;
    }
    return buffer.subarray(0, done);
  }

  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
  }
}

/**
 * Opens an archive, or an OCI layout that is a folder. When `file` names a folder, or a regular file that is not compressed,
 * `source` is not read at all.
 */
export async function openArchive(
  root: DataRoot,
  source: AsyncIterable<Buffer>,
  file: string | undefined,
): Promise<ArchiveFile> {
  const folder = file === undefined ? undefined : openLayoutFolder(file);
  if (folder !== undefined) return new ArchiveFile(folder);
  const fd = (file === undefined ? undefined : openPlain(file)) ?? (await spool(root, source));
  try {
    return new ArchiveFile(new TarMembers(fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A descriptor of a regular, uncompressed file; `undefined` when it is something else, or cannot be opened: the stream says why. */
function openPlain(file: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return undefined;
  }
  if (fstatSync(fd).isFile()) {
    const head = Buffer.alloc(DETECT_BYTES);
    const length = readSync(fd, head, 0, head.length, 0);
    if (detectCompression(head.subarray(0, length)) === 'none') return fd;
  }
  closeSync(fd);
  return undefined;
}

async function spool(root: DataRoot, source: AsyncIterable<Buffer>): Promise<number> {
  const fd = await openNameless(root);
  try {
    for await (const chunk of decompress(source)) writeAll(fd, chunk, null, root.tmpDir);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function openNameless(root: DataRoot): Promise<number> {
  try {
    return openFile(root.tmpDir, O_TMPFILE | O_DIRECTORY | O_RDWR);
  } catch (error) {
    // Filesystems without it say so in one of these ways.
    if (!hasErrno(error, 'EOPNOTSUPP', 'EISDIR', 'ENOENT', 'EINVAL')) throw error;
  }
  // What a crash leaves of this name is overwritten and removed here the next time.
  using _ = await root.lock('spool');
  const path = `${root.tmpDir}/spool`;
  removeFile(path);
  const fd = openFile(path, 'wx+');
  removeFile(path);
  return fd;
}
