/**
 * How two trees differ by Docker's rules, told as plainly as can be: both are read into memory whole, and then compared path by path. It
 * shares no code with what the drivers use, so that a mistake there is not made here as well. For small trees.
 */
import * as fs from 'node:fs';
import { lgetxattr, llistxattr } from '../../linux/xattr.ts';

/** What is said of one path. */
export interface Fact {
  readonly isDirectory: boolean;
  /** All that a layer keeps of it, as text. */
  readonly text: string;
}

const SEPARATOR = Buffer.from('/');
/** Other attributes are the filesystem's own. */
const KEPT = /^(user\.|trusted\.(?!overlay\.)|security\.capability$)/;

function attributesOf(path: Buffer): string[] {
  return llistxattr(path)
    .map((name) => name.toString('latin1'))
    .filter((name) => KEPT.test(name))
    .sort()
    .map((name) => `${name}=${lgetxattr(path, Buffer.from(name, 'latin1'))?.toString('hex')}`);
}

function factOf(path: Buffer, unit: bigint): Fact {
  const stat = fs.lstatSync(path, { bigint: true });
  const parts = [`${stat.mode}`, `${stat.uid}`, `${stat.gid}`, ...attributesOf(path)];
  // Times and sizes of directories come from what is in them.
  if (!stat.isDirectory()) parts.push(`${stat.size}`, `${stat.mtimeNs / unit}`);
  if (stat.isFile()) parts.push(fs.readFileSync(path).toString('hex'));
  if (stat.isSymbolicLink()) parts.push(fs.readlinkSync(path, 'latin1'));
  if (stat.isBlockDevice() || stat.isCharacterDevice()) parts.push(`${stat.rdev}`);
  return { isDirectory: stat.isDirectory(), text: parts.join(' ') };
}

/** All that is below a folder, by path, of which each byte is a character. */
export type PlainTree = ReadonlyMap<string, Fact>;

/**
 * Reads a tree as it is now. `wholeSeconds` where the filesystem has no others: what it says of the rest depends on what the
 * kernel remembers.
 */
export function readPlainTree(root: string, wholeSeconds: boolean): PlainTree {
  const unit = wholeSeconds ? 1_000_000_000n : 1n;
  const facts = new Map<string, Fact>();
  const walk = (folder: Buffer, at: string): void => {
    for (const name of fs.readdirSync(folder, { encoding: 'buffer' })) {
      const path = Buffer.concat([folder, SEPARATOR, name]);
      const key = `${at}/${name.toString('latin1')}`;
      const fact = factOf(path, unit);
      facts.set(key, fact);
      if (fact.isDirectory) walk(path, key);
    }
  };
  walk(Buffer.from(root), '');
  return facts;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** Changes as `added /path`, sorted by path. */
export function plainChanges(then: PlainTree, now: PlainTree): string[] {
  const kinds = new Map<string, string>();
  for (const [path, fact] of now) {
    const old = then.get(path);
    if (old === undefined) kinds.set(path, 'added');
    else if (old.text !== fact.text) kinds.set(path, 'modified');
  }
  for (const path of then.keys()) {
    // What goes with the folder that it is in is not named.
    const folder = folderOf(path);
    const isFolderThere = folder === '' || now.get(folder)?.isDirectory === true;
    if (!now.has(path) && isFolderThere) kinds.set(path, 'deleted');
  }
  for (const path of [...kinds.keys()]) {
    for (let folder = folderOf(path); folder !== '' && !kinds.has(folder); folder = folderOf(folder))
      kinds.set(folder, 'modified');
  }
  return [...kinds]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')))
    .map(([path, kind]) => `${kind} ${path}`);
}
