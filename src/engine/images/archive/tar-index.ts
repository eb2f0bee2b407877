/**
 * Where the members of a tar archive are, found by reading its headers only. Image archives are large, their contents
 * are wanted in another order than they have, and each is wanted once: so nothing of them is read twice, or copied.
 */
import { memberError, printableMember } from '../../../archive/fail.ts';
import { BLOCK, HeaderReader, isZeroBlock, paddingOf } from '../../../archive/header.ts';
import { parsePax } from '../../../archive/pax.ts';
import { LIMITS } from '../../../archive/types.ts';
import { TsengineError } from '../../../errors.ts';

/** One member. */
export interface Member {
  readonly type: 'file' | 'link' | 'directory' | 'other';
  /** Where its content begins, and how long it is, in bytes. */
  readonly offset: number;
  readonly size: number;
  /** Target of a link: of a symbolic one as it is, of a hard one from the archive's root (with a leading slash). */
  readonly link: string;
}

/** Where members and their bytes come from: an archive, or a folder. */
export interface MemberSource extends Disposable {
  /** Of all, in bytes, as far as it is known. */
  readonly size: number;
  names(): string[];
  /** The member of that clean name, a link as it is; `undefined` when there is none. */
  find(name: string): Member | undefined;
  /** Reads up to `length` bytes of a member's content from `position` on into the buffer; 0 at the end. */
  read(member: Member, buffer: Buffer, offset: number, length: number, position: number): number;
}

/** Reads `length` bytes at `offset`; fewer at the end. */
export type ReadAt = (offset: number, length: number) => Buffer;

/** Members of an archive that may be looked at: one of an image has a few for each layer. */
const MAX_MEMBERS = 100_000;

/** The name as it is looked up: no leading `./` or `/`, no trailing slash. */
export function cleanName(name: string): string {
  return name.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
}

interface Extension {
  path?: Buffer;
  linkPath?: Buffer;
  size?: number;
}

/** Finds all members, by clean name; of two with one name the last counts. Fails with `Corrupt` on what is not a tar or ends early. */
export function indexTar(read: ReadAt, archiveSize: number): Map<string, Member> {
  const members = new Map<string, Member>();
  const headers = new HeaderReader();
  let next: Extension = {};
  for (let at = 0; at < archiveSize; ) {
    const block = read(at, BLOCK);
    const fail = (reason: string): never => {
      throw memberError('Corrupt', HeaderReader.nameOf(block), at, reason);
    };
    if (block.length < BLOCK) fail('the archive ends in the middle of a header');
    if (isZeroBlock(block)) break;
    const header = headers.read(block, fail);
    const flag = String.fromCharCode(header.flag);
    const hasContent = '0\x007SxgLKD'.includes(flag);
    const size = hasContent ? (next.size ?? header.size) : 0;
    const offset = at + BLOCK;
    if (offset + size > archiveSize) {
      fail(
        `the archive ends in the middle of "${printableMember(next.path ?? header.name)}": it was cut short`,
      );
    }
    at = offset + size + paddingOf(size);
    if ('xLK'.includes(flag)) {
      next = { ...next, ...readExtension(flag, read, offset, size, fail) };
      continue;
    }
    if (flag === 'g') continue;
    const name = cleanName((next.path ?? header.name).toString('utf8'));
    const link = (next.linkPath ?? header.linkName).toString('utf8');
    members.set(name, { type: typeOf(flag), offset, size, link: flag === '1' ? `/${link}` : link });
    if (members.size > MAX_MEMBERS) {
      throw new TsengineError(
        'InvalidParameter',
        `the archive has more than ${MAX_MEMBERS} members: it is no image archive`,
      );
    }
    next = {};
  }
  return members;
}

function typeOf(flag: string): Member['type'] {
  if ('0\x007'.includes(flag)) return 'file';
  if ('12'.includes(flag)) return 'link';
  return flag === '5' ? 'directory' : 'other';
}

function readExtension(
  flag: string,
  read: ReadAt,
  offset: number,
  size: number,
  fail: (reason: string) => never,
): Extension {
  if (size > LIMITS.paxHeader) fail('an extended header is larger than 1 MiB');
  const payload = read(offset, size);
  if (flag !== 'x') {
    const end = payload.indexOf(0);
    const text = end < 0 ? payload : payload.subarray(0, end);
    return flag === 'L' ? { path: text } : { linkPath: text };
  }
  const { path, linkPath, size: long } = parsePax(payload, fail);
  return {
    ...(path === undefined ? {} : { path }),
    ...(linkPath === undefined ? {} : { linkPath }),
    ...(long === undefined ? {} : { size: long }),
  };
}
