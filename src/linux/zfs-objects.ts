/** Where an object of a ZFS file system is: its number is the inode number of a file. */
import { closeFd, O_RDWR, openAt } from './at.ts';
import { errnoNumber } from './errno.ts';
import { declare } from './libc.ts';
import { AT_FDCWD } from './stat.ts';

const call = declare('ioctl', 'int', ['int', 'ulong', 'void *'], 'zfs_obj_to_path');

/** `ZFS_IOC_OBJ_TO_PATH`, the same in OpenZFS 2.0 to 2.4 (`sys/fs/zfs.h`). */
const OBJ_TO_PATH = 0x5a25;
/** `zfs_cmd_t` is 14 KiB at most; what is asked and answered here is at its beginning, which no release moved (`sys/zfs_ioctl.h`). */
const SIZE = 32_768;
const NAME_SIZE = 4096;
const VALUE = { at: 4144, size: 8192 };
const OBJECT_AT = 12_656;

/** Asks for paths; to be disposed of. Fails with `ENOENT` and the like where there is no module. */
export class ZfsObjectPaths implements Disposable {
  readonly #fd = openAt(AT_FDCWD, '/dev/zfs', O_RDWR);
  readonly #request = Buffer.alloc(SIZE);

  /**
   * One path of a file in a data set or snapshot, from its root, `/` first, as bytes; `'deleted'` for one that somebody has open
   * and that has no name any more. `undefined` where the kernel finds none: the object is no file, or lost the name that it
   * got last. Of an extended attribute that is a file of its own: the path of what it belongs to, `/<xattrdir>/` and its name.
   */
  pathOf(dataset: string, object: bigint): Buffer | 'deleted' | undefined {
    const request = this.#request;
    request.fill(0, 0, NAME_SIZE);
    request.write(dataset, 0, NAME_SIZE - 1);
    request.writeUInt8(0, VALUE.at);
    request.writeBigUInt64LE(object, OBJECT_AT);
    const result = call.attempt(undefined, this.#fd, OBJ_TO_PATH, request);
    if (result < 0) return result === -(errnoNumber('ESTALE') ?? 0) ? 'deleted' : undefined;
    const end = request.indexOf(0, VALUE.at);
    return Buffer.from(request.subarray(VALUE.at, Math.min(end, VALUE.at + VALUE.size)));
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }
}
