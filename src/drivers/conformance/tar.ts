/** Small layers as tars, and what is in one. */
import { TarReader } from '../../archive/reader.ts';
import type { EntryType, TarEntry } from '../../archive/types.ts';
import { encodeHeader, endOfArchive, padding } from '../../archive/writer.ts';

/** A member as a check writes it: a name, and whatever is not the usual. */
export interface Member extends Partial<Omit<TarEntry, 'name' | 'linkName'>> {
  readonly name: string | Buffer;
  readonly type?: EntryType;
  readonly text?: string;
  readonly target?: string;
}

const NOTHING = Buffer.alloc(0);

/** A tar of these members, in this order. */
export function tarOf(members: readonly Member[]): Buffer {
  const parts = members.flatMap((member) => {
    const content = Buffer.from(member.text ?? '');
    const type = member.type ?? 'file';
    const entry: TarEntry = {
      mode: type === 'directory' ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      uname: NOTHING,
      gname: NOTHING,
      mtime: { sec: 1_400_000_000, nsec: 0 },
      devMajor: 0,
      devMinor: 0,
      xattrs: new Map(),
      ...member,
      type,
      size: content.length,
      name: Buffer.from(member.name),
      linkName: Buffer.from(member.target ?? ''),
    };
    return [encodeHeader(entry), content, padding(content.length)];
  });
  return Buffer.concat([...parts, endOfArchive]);
}

/** The members of a tar, without their contents. */
export function membersOf(tar: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = new TarReader({ entry: (entry) => entries.push(entry), data: () => {}, endEntry: () => {} });
  reader.write(tar);
  reader.end();
  return entries;
}

/** Their names, in order, as text of bytes. */
export function namesOf(tar: Buffer): string[] {
  return membersOf(tar).map((entry) => entry.name.toString('latin1'));
}
