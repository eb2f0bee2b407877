/** Initial RAM disks: cpio archives in the "newc" form. Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. */

/** A member of an archive. */
export type CpioEntry =
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'file'; readonly path: string; readonly data: Buffer; readonly executable?: boolean }
  | { readonly type: 'link'; readonly path: string; readonly target: string }
  | { readonly type: 'device'; readonly path: string; readonly major: number; readonly minor: number };

const DIRECTORY = 0o040755;
const FILE = 0o100644;
const LINK = 0o120777;
const CHARACTER_DEVICE = 0o020600;

/** The archive, everything root's, without times: the same entries make the same bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => member(entry, index + 1));
  return Buffer.concat([...parts, ...record('TRAILER!!!', 0, 0, Buffer.alloc(0))]);
}

function member(entry: CpioEntry, inode: number): readonly Buffer[] {
  switch (entry.type) {
    case 'directory':
      return record(entry.path, inode, DIRECTORY, Buffer.alloc(0));
    case 'file':
      return record(entry.path, inode, FILE | (entry.executable === true ? 0o111 : 0), entry.data);
    case 'link':
      return record(entry.path, inode, LINK, Buffer.from(entry.target));
    case 'device':
      return record(entry.path, inode, CHARACTER_DEVICE, Buffer.alloc(0), entry.major, entry.minor);
  }
}

function record(
  path: string,
  inode: number,
  mode: number,
  data: Buffer,
  major = 0,
  minor = 0,
): readonly Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const links = mode === DIRECTORY ? 2 : 1;
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(data)];
}

/** With zeros up to a multiple of four bytes, which is how members lie. */
export function padded(data: Buffer): Buffer {
  const rest = data.length % 4;
  return rest === 0 ? data : Buffer.concat([data, Buffer.alloc(4 - rest)]);
}
