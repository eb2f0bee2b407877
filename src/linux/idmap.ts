/** Mounts that show other owners than the files have. Source: mount_setattr(2); kernel 5.12 and newer. */
import { closeSync, openSync } from 'node:fs';
import { declareSyscall } from './libc.ts';
import { type BytePath, cString } from './path.ts';
import { AT_FDCWD } from './stat.ts';

const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;
const MOUNT_ATTR_IDMAP = 0x00100000;

const openTreeCall = declareSyscall(428, 'open_tree', ['int', 'void *', 'uint']);
const mountSetattrCall = declareSyscall(442, 'mount_setattr', ['int', 'void *', 'uint', 'void *', 'size_t']);

/** A mount that is in nobody's tree of mounts, and gone when it is disposed of. */
export interface DetachedMount extends Disposable {
  /** Leads into it, for this process. */
  readonly path: string;
}

/** A second mount of `path` with the owners mapped as in the user namespace that `namespace` names (`/proc/PID/ns/user`). */
export function idmappedClone(path: BytePath, namespace: string): DetachedMount {
  const tree = openTreeCall({ path }, AT_FDCWD, cString(path), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  try {
    const user = openSync(namespace, 'r');
    try {
      // `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd, 64 bits each.
      const attributes = Buffer.alloc(32);
      attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP), 0);
      attributes.writeBigUInt64LE(BigInt(user), 24);
      mountSetattrCall({ path }, tree, cString(''), AT_EMPTY_PATH, attributes, attributes.length);
    } finally {
      closeSync(user);
    }
  } catch (error) {
    closeSync(tree);
    throw error;
  }
  return { path: `/proc/self/fd/${tree}`, [Symbol.dispose]: () => closeSync(tree) };
}
