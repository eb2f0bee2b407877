/**
 * An OCI image layout as skopeo and umoci leave it: a folder instead of an archive. Its files are members like those of a
 * tar. No symbolic link is followed, below the folder or out of it: whoever made it may have pointed one anywhere.
 */
import { closeSync, existsSync, openSync, readdirSync, statSync } from 'node:fs';
import { hasErrno, TsengineError } from '../../../errors.ts';
import {
  closeFd,
  O_DIRECTORY,
  O_NONBLOCK,
  O_RDONLY,
  openAt2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
} from '../../../linux/at.ts';
import { readInto } from '../../../linux/files.ts';
import { fstat, S_IFMT, S_IFREG } from '../../../linux/stat.ts';
import type { Member, MemberSource } from './tar-index.ts';

/** A member that is open. */
interface OpenMember {
  readonly name: string;
  readonly member: Member;
  readonly fd: number;
}

class LayoutFolder implements MemberSource {
  /** Nobody has counted: it may be large. */
  readonly size = Number.POSITIVE_INFINITY;
  readonly #folder: number;
  readonly #names = new Map<Member, string>();
  /** One at a time, because they are read one after the other. */
  #last: OpenMember | undefined;

  constructor(folder: number) {
    this.#folder = folder;
  }

  names(): string[] {
    return readdirSync(`/proc/self/fd/${this.#folder}`);
  }

  find(name: string): Member | undefined {
    return this.#open(name)?.member;
  }

  read(member: Member, buffer: Buffer, offset: number, length: number, position: number): number {
    const open = this.#open(this.#names.get(member) ?? '');
    return open === undefined ? 0 : readInto(open.fd, buffer, offset, length, position);
  }

  #open(name: string): OpenMember | undefined {
    if (this.#last?.name === name) return this.#last;
    const fd = this.#openFile(name);
    if (fd === undefined) return undefined;
    this.#closeLast();
    const { mode, size } = fstat(fd);
    const type = (mode & S_IFMT) === S_IFREG ? 'file' : 'other';
    const known = [...this.#names].find(([, one]) => one === name)?.[0];
    const member = known ?? { type, offset: 0, size, link: '' };
    this.#names.set(member, name);
    this.#last = { name, member, fd };
    return this.#last;
  }

  /** Not held up by a fifo. */
  #openFile(name: string): number | undefined {
    try {
      return openAt2(this.#folder, name, O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      if (!hasErrno(error, 'ELOOP', 'EXDEV')) throw error;
      throw new TsengineError('Corrupt', `${name} in the folder is a symbolic link, or lies behind one`);
    }
  }

  #closeLast(): void {
    if (this.#last !== undefined) closeFd(this.#last.fd);
    this.#last = undefined;
  }

  [Symbol.dispose](): void {
    this.#closeLast();
    closeSync(this.#folder);
  }
}

/** The folder as a source of members; `undefined` where the path is none, or one without an image in it. */
export function openLayoutFolder(path: string): MemberSource | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  if (!['index.json', 'manifest.json'].some((name) => existsSync(`${path}/${name}`))) return undefined;
  return new LayoutFolder(openSync(path, O_RDONLY | O_DIRECTORY));
}
