import { declare, declareSyscall } from './libc.ts';
import { type BytePath, cString } from './path.ts';

/** mount(2) flags. Source: `linux/mount.h`. */
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_NOATIME = 1024;
export const MS_BIND = 4096;
export const MS_REC = 16_384;
export const MS_UNBINDABLE = 1 << 17;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;

/** umount2(2) flags. Source: `sys/mount.h`. */
export const MNT_FORCE = 1;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** The largest option string that mount(2) takes: one page with its terminating NUL. */
export const MOUNT_DATA_MAX = 4095;

const mountCall = declare('mount', 'int', ['void *', 'void *', 'void *', 'ulong', 'void *']);
const umountCall = declare('umount2', 'int', ['void *', 'int']);
const fsopenCall = declareSyscall(430, 'fsopen', ['void *', 'uint']);
const fsconfigCall = declareSyscall(431, 'fsconfig', ['int', 'uint', 'void *', 'void *', 'int']);
const fsmountCall = declareSyscall(432, 'fsmount', ['int', 'uint', 'uint']);
const moveMountCall = declareSyscall(429, 'move_mount', ['int', 'void *', 'int', 'void *', 'uint']);

/** What mount(2) takes. `data` must fit one page (`MOUNT_DATA_MAX`). */
export interface MountRequest {
  readonly source?: BytePath;
  readonly target: BytePath;
  readonly type?: string;
  readonly flags?: number;
  readonly data?: BytePath;
}

/** mount(2). The error names source and target. */
export function mount(request: MountRequest): void {
  const { source, target, type, flags = 0, data } = request;
  const optional = (text: BytePath | undefined): Buffer | null => (text === undefined ? null : cString(text));
  const subject = source === undefined ? { path: target } : { path: source, dest: target };
  mountCall(subject, optional(source), cString(target), optional(type), flags, optional(data));
}

/** umount2(2). A target that is a symbolic link is never followed. */
export function unmount(target: BytePath, flags = 0): void {
  umountCall({ path: target }, cString(target), flags | UMOUNT_NOFOLLOW);
}

const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_SET_FD = 5;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;

/**
 * One filesystem being configured with fsopen(2), which has no one-page limit on options. Dispose of it whatever
 * happens; a context that was not mounted leaves nothing. `ENOSYS` on kernels before 5.2.
 */
export interface FsContext extends Disposable {
  /** Sets `key=value` (a string is cut by the kernel at 255 bytes: longer ones fail with EINVAL). */
  set(key: string, value: BytePath): void;
  /** Sets the option `key`, which has no value. */
  flag(key: string): void;
  /** Passes an open file or directory as `key`'s value. */
  fd(key: string, fd: number): void;
  /** Makes the superblock and mounts it on `target` with `MOUNT_ATTR_*` attributes. */
  mountOn(target: BytePath, attributes?: number): void;
  /** What the kernel wrote about this filesystem's options: `e overlay: …` lines, the reasons of an error. */
  messages(): string[];
}

/** Begins to configure a filesystem of the given type. */
export function openFs(type: string): FsContext {
  const fd = fsopenCall({ path: type }, cString(type), FSOPEN_CLOEXEC);
  return new NativeFsContext(fd, type);
}

const closeCall = declare('close', 'int', ['int']);
const readCall = declare('read', 'long', ['int', 'void *', 'size_t']);

class NativeFsContext implements FsContext {
  readonly #fd: number;
  readonly #type: string;

  constructor(fd: number, type: string) {
    this.#fd = fd;
    this.#type = type;
  }

  set(key: string, value: BytePath): void {
    const subject = { path: `${this.#type} ${key}` };
    fsconfigCall(subject, this.#fd, FSCONFIG_SET_STRING, cString(key), cString(value), 0);
  }

  flag(key: string): void {
    fsconfigCall({ path: `${this.#type} ${key}` }, this.#fd, FSCONFIG_SET_FLAG, cString(key), null, 0);
  }

  fd(key: string, fd: number): void {
    fsconfigCall({ path: `${this.#type} ${key}` }, this.#fd, FSCONFIG_SET_FD, cString(key), null, fd);
  }

  mountOn(target: BytePath, attributes = 0): void {
    fsconfigCall({ path: this.#type, dest: target }, this.#fd, FSCONFIG_CMD_CREATE, null, null, 0);
    const mounted = fsmountCall({ path: this.#type, dest: target }, this.#fd, FSMOUNT_CLOEXEC, attributes);
    try {
      const subject = { path: this.#type, dest: target };
      moveMountCall(subject, mounted, cString(''), -100, cString(target), MOVE_MOUNT_F_EMPTY_PATH);
    } finally {
      closeCall(undefined, mounted);
    }
  }

  messages(): string[] {
    const out: string[] = [];
    const buffer = Buffer.alloc(4096);
    for (;;) {
      try {
        const length = readCall(undefined, this.#fd, buffer, buffer.length);
        if (length === 0) return out;
        out.push(buffer.toString('utf8', 0, length).trim());
      } catch {
        // ENODATA: the log is empty.
        return out;
      }
    }
  }

  [Symbol.dispose](): void {
    closeCall(undefined, this.#fd);
  }
}
