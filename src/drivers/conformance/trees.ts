/** Making trees for the checks to work with. Everything has a time of its own, so that a lost time shows. */
import { randomFillSync } from 'node:crypto';
import * as fs from 'node:fs';
import { mknodAt, utimensAt } from '../../linux/at.ts';
import { ftruncate } from '../../linux/space.ts';
import { AT_FDCWD, S_IFBLK, S_IFCHR, S_IFIFO } from '../../linux/stat.ts';
import { lremovexattr, lsetxattr } from '../../linux/xattr.ts';
import type { Subject } from './suite.ts';

let clock = 0;

/** Gives the file a modification time, with nanoseconds, that no other has. */
export function stamp(path: string | Buffer): void {
  clock++;
  const time = { sec: 1_500_000_000 + clock * 7, nsec: (clock * 123_456_789) % 1_000_000_000 };
  utimensAt(AT_FDCWD, path, time, time);
}

/** Writes a file, made or replaced in place. */
export function write(path: string | Buffer, text: string | Buffer, mode = 0o644): void {
  fs.writeFileSync(path, text);
  fs.chmodSync(path, mode);
  stamp(path);
}

/** Makes a directory with its parents. */
export function directory(path: string, mode = 0o755): void {
  fs.mkdirSync(path, { recursive: true });
  fs.chmodSync(path, mode);
}

/** Sets an extended attribute. */
export function setAttribute(path: string, name: string, value: string | Buffer): void {
  lsetxattr(path, name, typeof value === 'string' ? Buffer.from(value) : value);
}

/** Takes an extended attribute away. */
export function removeAttribute(path: string, name: string): void {
  lremovexattr(path, name);
}

/** `cap_net_raw=ep` in the kernel's form (`struct vfs_cap_data`, revision 2): what `ping` has. */
export const CAPABILITY: Buffer = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** A name that is not UTF-8. */
export const BYTES_NAME: Buffer = Buffer.from([0x6e, 0xe4, 0xff, 0x6d, 0x65]);

/** A file of `size` bytes that takes space only where `data` is, at `offset`. */
export function sparse(path: string, size: number, offset: number, data: string): void {
  const fd = fs.openSync(path, 'w');
  try {
    ftruncate(fd, size);
    fs.writeSync(fd, data, offset);
  } finally {
    fs.closeSync(fd);
  }
  stamp(path);
}

/** The longest name that can be made in every layer of the driver. */
export function longestName(driver: Subject['driver'] | undefined): string {
  return 'n'.repeat(driver?.capabilities.longestName ?? 255);
}

/** Incompressible bytes, different each time. */
export function noise(size: number): Buffer {
  return randomFillSync(Buffer.alloc(size));
}

/** What the filesystem takes no extended attributes of, such as `security.`, and what the driver says of names. */
type Without = Pick<Subject, 'without'> & Partial<Pick<Subject, 'driver'>>;

/** Whether the filesystem takes an extended attribute of this name. */
export function takes({ without = [] }: Without, name: string): boolean {
  return !without.some((prefix) => name.startsWith(prefix));
}

/** How the name of an extended attribute begins that the filesystem takes; `undefined` where it takes none. */
export function attributePrefix(subject: Without): string | undefined {
  return ['user.', 'trusted.'].find((prefix) => takes(subject, prefix));
}

/** Makes one of everything that a layer can hold on the subject's filesystem. */
export function everything(subject: Without): (root: string) => void {
  return (root) => makeEverything(root, subject);
}

/** One of everything that a layer can hold. */
export function makeEverything(root: string, subject: Without = {}): void {
  const attribute = (path: string, name: string, value: string | Buffer): void => {
    if (takes(subject, name)) setAttribute(path, name, value);
  };
  directory(`${root}/usr/bin`);
  directory(`${root}/var/spool`, 0o1777);
  directory(`${root}/var/empty`, 0o2750);
  fs.chownSync(`${root}/var/empty`, 12, 34);
  write(`${root}/usr/bin/plain`, 'plain\n');
  write(`${root}/usr/bin/setuid`, noise(70_000), 0o4755);
  write(`${root}/usr/bin/ping`, 'ping', 0o755);
  attribute(`${root}/usr/bin/ping`, 'security.capability', CAPABILITY);
  write(`${root}/empty`, '', 0o600);
  write(`${root}/owned`, 'owned', 0o640);
  fs.lchownSync(`${root}/owned`, 1000, 65_533);
  fs.chmodSync(`${root}/owned`, 0o6711);
  attribute(`${root}/owned`, 'user.text', 'value');
  attribute(`${root}/owned`, 'user.bytes', Buffer.from([0, 255, 10]));
  attribute(`${root}/owned`, 'trusted.mark', 'trusted');
  attribute(`${root}/var/spool`, 'user.on-directory', 'yes');
  stamp(`${root}/owned`);
  fs.symlinkSync('usr/bin/plain', `${root}/link`);
  fs.symlinkSync(`/${'long/'.repeat(60)}`, `${root}/dangling`);
  fs.lchownSync(`${root}/link`, 5, 6);
  stamp(`${root}/link`);
  stamp(`${root}/dangling`);
  write(`${root}/hard-1`, 'three names');
  fs.linkSync(`${root}/hard-1`, `${root}/hard-2`);
  fs.linkSync(`${root}/hard-1`, `${root}/usr/hard-3`);
  makeSpecialFiles(root);
  // What is no file and no directory has none of `user.`.
  for (const name of ['link', 'fifo', 'null', 'disk']) attribute(`${root}/${name}`, 'trusted.mark', name);
  sparse(`${root}/sparse`, 5_000_000, 1_048_576, 'data in the middle');
  write(Buffer.concat([Buffer.from(`${root}/`), BYTES_NAME]), 'a name of bytes');
  write(`${root}/${longestName(subject.driver)}`, 'a long name');
}

function makeSpecialFiles(root: string): void {
  mknodAt(AT_FDCWD, `${root}/fifo`, S_IFIFO | 0o620);
  mknodAt(AT_FDCWD, `${root}/null`, S_IFCHR | 0o666, 1, 3);
  mknodAt(AT_FDCWD, `${root}/disk`, S_IFBLK | 0o660, 7, 300);
  for (const name of ['fifo', 'null', 'disk']) stamp(`${root}/${name}`);
}
